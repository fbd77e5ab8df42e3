import Type from 'typebox';
import { clusterScope, type Credential } from '../catalog/credentials.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import type { ClusterId } from '../core/ids.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { hostAddress, port, text } from '../core/parameters/fields.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { withPostgres } from '../engines/postgres/connection.ts';
import { textOrNull, type SqlRow } from '../engines/sql.ts';
import { EngineSqlError } from '../engines/sql-error.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';

const timeouts = { connectTimeoutMs: 2000, statementTimeoutMs: 5000 };
const codes = { invalid: 70_108 };

interface KnownNode {
  readonly engine: 'mysql' | 'postgres';
  readonly account: Credential;
}

/** Which engine listens at an address of the catalog, and the account that may look into it. */
async function nodeAt({ catalog }: Services, at: HostPort, signal: AbortSignal): Promise<KnownNode> {
  return catalog.database.read(async (sql) => {
    const account = async (cluster: ClusterId, purpose: string): Promise<Credential> => {
      const found = await catalog.credentials.find(sql, clusterScope(cluster), purpose);
      if (found !== undefined) return found;
      throw new KlusterError(
        'metadata',
        `cluster ${String(cluster)} has no ${purpose} account in the catalog`,
      );
    };
    const storage = await catalog.storageNodes.findByAddress(sql, at);
    if (storage !== undefined) {
      return { engine: 'mysql', account: await account(storage.clusterId, 'management') };
    }
    const compute = await catalog.computeNodes.findByAddress(sql, at);
    if (compute !== undefined) {
      return { engine: 'postgres', account: await account(compute.clusterId, 'compute_superuser') };
    }
    throw new KlusterError('variable_read', `No node of a cluster has the address ${colonAddress(at)}`);
  }, signal);
}

/** The row of the variable; undefined when the server has none of this name. */
async function readRow(
  { engine, account }: KnownNode,
  at: HostPort & { readonly variable: string },
  signal: AbortSignal,
): Promise<SqlRow | undefined> {
  const address = { hostaddr: at.hostaddr, port: at.port, ...account, ...timeouts };
  const rows =
    engine === 'mysql'
      ? await withMysql(address, signal, (session) =>
          session.rows(
            'SELECT VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE VARIABLE_NAME = ?',
            [at.variable],
          ),
        )
      : await withPostgres(address, signal, (session) =>
          session.rows('SELECT current_setting(name) AS value FROM pg_settings WHERE name = lower($1)', [
            at.variable,
          ]),
        );
  return rows[0];
}

export const getVariable = defineImmediateJob<Services>()({
  jobType: 'get_variable',
  aliases: [],
  summary: 'Read a variable of a storage or compute node',
  paras: Type.Object({
    hostaddr: hostAddress({ description: 'address of the node', codes, example: '10.0.0.1' }),
    port: port({ description: 'port of the node', codes, example: '57001' }),
    variable: text({
      description: 'name of the variable or setting',
      codes,
      example: 'innodb_buffer_pool_size',
      maxLength: 128,
    }),
  }),
  example: { hostaddr: '10.0.0.1', port: '57001', variable: 'innodb_buffer_pool_size' },
  changes: false,
  async answer(services, paras, signal) {
    const node = await nodeAt(services, paras, signal);
    try {
      const row = await readRow(node, paras, signal);
      if (row !== undefined) return { result: 'true', value: textOrNull(row, 'value') ?? '' };
    } catch (error) {
      if (!(error instanceof EngineSqlError)) throw error;
      throw new KlusterError('variable_read', errorText(error), { cause: error });
    }
    const name = JSON.stringify(paras.variable);
    throw new KlusterError('variable_read', `The server at ${colonAddress(paras)} has no variable ${name}`);
  },
});
