import { escapeIdentifier, escapeLiteral } from 'pg';
import type { HostPort } from '../../core/model.ts';
import { textOf, type SqlSession } from '../sql.ts';
import { inTransaction } from './transaction.ts';

/**
 * How a compute node reaches the shards, with the mysql_fdw of Debian: one foreign server per shard, named like the
 * shard, with one user mapping for everybody. A public mapping's password is shown to superusers only
 * (manual 54.27, pg_user_mappings).
 */
export interface StorageServer {
  /** `shard_<n>`. */
  readonly name: string;
  /** The shard's primary. */
  readonly primary: HostPort;
  readonly account: { readonly user: string; readonly password: string };
}

/** Schema of the probe tables; readable by the owner only. */
const probeSchema = 'kluster';

/** The table that every shard carries about itself; existing tools look for this name. */
const shardIdentityTable = { database: 'kunlun_sysdb', table: 'cluster_info' } as const;

/** Makes or updates the server, its credentials and its probe table. `applicationRole` may make tables on it. */
export async function defineStorageServer(
  session: SqlSession,
  server: StorageServer,
  applicationRole: string,
): Promise<void> {
  const name = escapeIdentifier(server.name);
  const host = escapeLiteral(server.primary.hostaddr);
  const port = escapeLiteral(String(server.primary.port));
  const user = escapeLiteral(server.account.user);
  const password = escapeLiteral(server.account.password);
  await session.query('CREATE EXTENSION IF NOT EXISTS mysql_fdw');
  await inTransaction(session, async () => {
    if (await serverExists(session, server.name)) {
      await session.query(`ALTER SERVER ${name} OPTIONS (SET host ${host}, SET port ${port})`);
      await session.query(
        `ALTER USER MAPPING FOR PUBLIC SERVER ${name} OPTIONS (SET username ${user}, SET password ${password})`,
      );
    } else {
      await session.query(
        `CREATE SERVER ${name} FOREIGN DATA WRAPPER mysql_fdw OPTIONS (host ${host}, port ${port})`,
      );
      await session.query(
        `CREATE USER MAPPING FOR PUBLIC SERVER ${name} OPTIONS (username ${user}, password ${password})`,
      );
    }
    await session.query(
      `GRANT USAGE ON FOREIGN SERVER ${name} TO ${escapeIdentifier(applicationRole)} WITH GRANT OPTION`,
    );
    await defineProbeTable(session, server.name);
  });
}

/** Where the compute node's sessions go for this shard; null when it does not know the shard. */
export async function readStorageRoute(session: SqlSession, name: string): Promise<HostPort | null> {
  const rows = await session.rows(
    `SELECT option_name, option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE srvname = $1`,
    [name],
  );
  const options = new Map(rows.map((row) => [textOf(row, 'option_name'), textOf(row, 'option_value')]));
  const hostaddr = options.get('host');
  const port = options.get('port');
  return hostaddr === undefined || port === undefined ? null : { hostaddr, port: Number(port) };
}

async function serverExists(session: SqlSession, name: string): Promise<boolean> {
  const rows = await session.rows('SELECT 1 AS found FROM pg_foreign_server WHERE srvname = $1', [name]);
  return rows.length > 0;
}

async function defineProbeTable(session: SqlSession, server: string): Promise<void> {
  const { database, table } = shardIdentityTable;
  await session.query(`CREATE SCHEMA IF NOT EXISTS ${escapeIdentifier(probeSchema)}`);
  await session.query(
    `CREATE FOREIGN TABLE IF NOT EXISTS ${probeTable(server)} (cluster_name text, shard_name text)
       SERVER ${escapeIdentifier(server)}
       OPTIONS (dbname ${escapeLiteral(database)}, table_name ${escapeLiteral(table)})`,
  );
}

function probeTable(server: string): string {
  return `${escapeIdentifier(probeSchema)}.${escapeIdentifier(`probe_${server}`)}`;
}

/** Reads through the server what the shard says it is: the proof that this compute node serves this shard. */
export async function readShardIdentity(
  session: SqlSession,
  server: string,
): Promise<{ readonly clusterName: string; readonly shardName: string } | null> {
  const [row] = await session.query(`SELECT cluster_name, shard_name FROM ${probeTable(server)}`);
  if (row === undefined) return null;
  return { clusterName: textOf(row, 'cluster_name'), shardName: textOf(row, 'shard_name') };
}
