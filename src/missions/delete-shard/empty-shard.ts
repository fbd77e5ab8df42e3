import { KlusterError } from '../../core/errors/kluster-error.ts';
import { clusterId, shardId } from '../../core/ids.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import { readUserTables } from '../../engines/mysql/user-tables.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { readClusterAccounts } from '../topology/accounts.ts';
import type { Context } from '../topology/orders.ts';

export interface ShardToEmpty {
  readonly clusterId: number;
  readonly shardId: number;
  readonly shardName: string;
}

const namesShown = 20;
/** Running transactions may keep a shard from being closed. */
const statementTimeoutMs = 20_000;

/** Runs the callback on the recorded primary of the shard, if any, and then requires that the shard holds no tables. */
export async function requireEmpty(
  context: Context,
  shard: ShardToEmpty,
  before: (session: SqlSession) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { services, signal } = context;
  const { catalog } = services;
  const { management } = await readClusterAccounts(services, clusterId(shard.clusterId), signal);
  const nodes = await catalog.database.read(
    (sql) => catalog.storageNodes.list(sql, { shardId: shardId(shard.shardId) }),
    signal,
  );
  const primary = nodes.find(({ memberState }) => memberState === 'source');
  if (primary === undefined) {
    throw new KlusterError('metadata', `${shard.shardName} has no primary that could tell what it holds`);
  }
  const { hostaddr, port } = primary;
  const tables = await withMysql(
    { hostaddr, port, ...management, statementTimeoutMs },
    signal,
    async (session) => {
      await before(session);
      return readUserTables(session, namesShown);
    },
  );
  if (tables.count === 0) return;
  const more =
    tables.count > tables.names.length ? ` and ${String(tables.count - tables.names.length)} more` : '';
  throw new KlusterError(
    'shard_holds_tables',
    `${shard.shardName} still holds ${String(tables.count)} tables: ${tables.names.join(', ')}${more}`,
  );
}
