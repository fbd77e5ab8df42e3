import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Catalog } from '../../../src/catalog/catalog.ts';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { forgetEndedJobs } from '../../../src/catalog/jobs.ts';
import { numberOf, textOf } from '../../../src/catalog/sql.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { forgetDecisions } from '../../../src/ha/forget-decisions.ts';
import { makeCluster, newMachine } from '../../support/catalog-fixtures.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

const key = 'the key of a test';
const signal = (): AbortSignal => AbortSignal.timeout(20_000);

let server: MetadataServer;
let database: MetadataDatabase;
let catalog: Catalog;

beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
  catalog = new Catalog(database, key);
});
afterAll(async () => {
  await server?.stop();
});

async function insertJob(id: number, phase: 'ended' | 'forward', daysAgo: number): Promise<void> {
  const ended = phase === 'ended' ? 'UTC_TIMESTAMP(3) - INTERVAL ? DAY' : 'NULLIF(?, ?)';
  const parameters = phase === 'ended' ? [daysAgo] : [daysAgo, daysAgo];
  await database.write(async (sql) => {
    await sql.execute(
      `INSERT INTO cluster_general_job_log (id, job_type, status, job_info, user_name)
       VALUES (?, 'sample', 'done', '{}', 'test')`,
      [id],
    );
    await sql.execute(
      `INSERT INTO kluster_jobs (job_id, job_type, phase, user_name, locks, sealed_paras, paras, notes, submitted_at, ended_at)
       VALUES (?, 'sample', ?, 'test', '[]', '', '{}', '[]', UTC_TIMESTAMP(3) - INTERVAL 1000 DAY, ${ended})`,
      [id, phase, ...parameters],
    );
    await sql.execute(
      "INSERT INTO kluster_job_events (job_id, sequence, at, event) VALUES (?, 1, UTC_TIMESTAMP(3), '{}')",
      [id],
    );
    await sql.execute(
      "INSERT INTO kluster_job_steps (job_id, path, position, title, weight, state) VALUES (?, 'a', 0, 'a', 1, 'done')",
      [id],
    );
  });
}

const left = (table: string, column: string): Promise<readonly number[]> =>
  database.read((sql) =>
    sql.rows(`SELECT ${column} AS id FROM ${table} ORDER BY ${column}`, [], (row) => numberOf(row, 'id')),
  );

describe('jobs that ended long ago', () => {
  it('are forgotten with all that belongs to them, the oldest first; others stay, however old', async () => {
    await insertJob(1, 'ended', 200);
    await insertJob(2, 'forward', 200);
    await insertJob(3, 'ended', 91);
    await insertJob(4, 'ended', 89);
    const forget = (limit: number) => database.write((sql) => forgetEndedJobs(sql, { days: 90, limit }));
    expect(await forget(1)).toBe(1);
    expect(await left('kluster_jobs', 'job_id')).toEqual([2, 3, 4]);
    expect(await forget(10)).toBe(1);
    expect(await forget(10)).toBe(0);
    for (const [table, column] of [
      ['kluster_jobs', 'job_id'],
      ['kluster_job_events', 'job_id'],
      ['kluster_job_steps', 'job_id'],
      ['cluster_general_job_log', 'id'],
    ] as const) {
      expect(await left(table, column), table).toEqual([2, 4]);
    }
  });
});

describe('old decisions of compute nodes', () => {
  /** A cluster whose shard's primary is the server of this test. */
  async function cluster(name: string, primary: 'here' | 'nowhere') {
    const host = primary === 'here' ? server.hostaddr : '127.0.3.8';
    for (const machineType of ['storage', 'computer'] as const)
      await database.write((sql) =>
        catalog.machines.insert(sql, newMachine({ hostaddr: host, machineType })),
      );
    const made = await makeCluster(catalog, { host, haMode: 'rbr', name });
    const { user, password } = server.options('');
    await database.write(async (sql) => {
      await catalog.credentials.put(sql, clusterScope(made.id), 'management', { user, password });
      if (primary === 'nowhere') return;
      await sql.execute(
        "UPDATE shard_nodes SET port = ? WHERE db_cluster_id = ? AND member_state = 'source'",
        [server.port, made.id],
      );
    });
    const [comp] = await database.read((sql) => catalog.computeNodes.list(sql, { clusterId: made.id }));
    if (comp === undefined) throw new Error('no compute node');
    const decide = (number: number, decision: 'commit' | 'abort', daysAgo: number) =>
      database.write((sql) =>
        sql.execute(
          `INSERT INTO commit_log_${name} (comp_node_id, txn_id, next_txn_cmd, prepare_ts)
           VALUES (?, ?, ?, CURRENT_TIMESTAMP - INTERVAL ? DAY)`,
          [comp.id, (BigInt(number) << 32n) + 1n, decision, daysAgo],
        ),
      );
    const decided = () =>
      database.read((sql) =>
        sql.rows(`SELECT txn_id >> 32 AS number FROM commit_log_${name} ORDER BY txn_id`, [], (row) =>
          Number(textOf(row, 'number')),
        ),
      );
    return { made, comp, decide, decided };
  }

  it('to commit are forgotten when no branch of the transaction is prepared any more', async () => {
    const { made, comp, decide, decided } = await cluster('remembers', 'here');
    await decide(1, 'commit', 30);
    await decide(2, 'commit', 30);
    await decide(3, 'abort', 30);
    await decide(4, 'commit', 8);
    await decide(5, 'commit', 6);
    const branch = `'${String(comp.id)}-2-1'`;
    const address = { ...server.options(server.currentDatabase) };
    const xa = (...statements: readonly string[]) =>
      withMysql(address, signal(), async (session) => {
        for (const statement of statements) await session.query(statement);
      });
    await xa('CREATE TABLE branches (id INT PRIMARY KEY)');
    await xa(
      `XA START ${branch}`,
      'INSERT INTO branches VALUES (1)',
      `XA END ${branch}`,
      `XA PREPARE ${branch}`,
    );
    const forget = () => forgetDecisions(catalog, made, { days: 7, pages: 10 }, signal());
    expect(await forget()).toBe(2);
    expect(await decided()).toEqual([2, 3, 5]);
    await xa(`XA COMMIT ${branch}`);
    expect(await forget()).toBe(1);
    expect(await decided()).toEqual([3, 5]);
  });

  it('stay while a shard cannot be asked what it has prepared', async () => {
    const { made, decide, decided } = await cluster('unreachable', 'nowhere');
    await decide(1, 'commit', 30);
    await expect(forgetDecisions(catalog, made, { days: 7, pages: 10 }, signal())).rejects.toThrow(/connect/);
    expect(await decided()).toEqual([1]);
  });
});
