import type { Client } from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { startComputeNode, type ComputeNode } from '../../support/compute-node.ts';
import { rowsAt } from '../../support/second-compute-node.ts';
import { preparedBranches } from '../../../src/engines/mysql/xa.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';

/** Many sessions at once, each with transactions over both shards. */

const sessions = 500;
const transfers = 2;
const accounts = 200;

let node: ComputeNode;
let first: Client;

const everywhere = async (sql: string): Promise<void> => {
  for (const where of ['metadata', 1, 2] as const) await rowsAt(node, where, sql);
};

beforeAll(async () => {
  node = await startComputeNode(25_541, [`max_connections=${String(sessions + 20)}`]);
  await everywhere(`SET GLOBAL max_connections = ${String(sessions + 50)}`);
  first = await node.session();
  for (const shard of [1, 2]) {
    await first.query(
      `CREATE TABLE account_${String(shard)} (id int PRIMARY KEY, balance int NOT NULL) WITH (shard = ${String(shard)})`,
    );
    await first.query(
      `INSERT INTO account_${String(shard)} SELECT id, 100 FROM generate_series(1, ${String(accounts)}) AS id`,
    );
  }
}, 180_000);

/** Every one takes from the first shard and gives to the second, so that none waits for another in a circle. */
async function transfer(session: Client, id: number): Promise<void> {
  await session.query('BEGIN');
  await session.query('UPDATE account_1 SET balance = balance - 1 WHERE id = $1', [id]);
  await session.query('UPDATE account_2 SET balance = balance + 1 WHERE id = $1', [id]);
  await session.query('COMMIT');
}

async function leftBranches(): Promise<number> {
  let count = 0;
  for (const shard of node.shards) {
    const { port, user, password } = shard.options('mysql');
    const address = { hostaddr: shard.hostaddr, port, user, password };
    count += (await withMysql(address, AbortSignal.timeout(30_000), preparedBranches)).length;
  }
  return count;
}

test(
  '500 sessions write to two shards at the same time, and every sum is exact',
  { timeout: 180_000 },
  async () => {
    const failures: unknown[] = [];
    const work = async (number: number): Promise<void> => {
      const session = await node.session();
      for (let at = 0; at < transfers; at += 1) await transfer(session, 1 + ((number * 7 + at) % accounts));
    };
    await Promise.all(
      Array.from({ length: sessions }, (_, number) =>
        work(number).catch((error: unknown) => failures.push(String(error))),
      ),
    );
    expect(failures).toEqual([]);
    const { rows } = await first.query(
      `SELECT (SELECT sum(balance)::int FROM account_1) AS "from", (SELECT sum(balance)::int FROM account_2) AS "to"`,
    );
    const moved = sessions * transfers;
    expect(rows).toEqual([{ from: accounts * 100 - moved, to: accounts * 100 + moved }]);
    expect(await leftBranches()).toBe(0);
  },
);

test('a shard without a free connection is named, with what to do', async () => {
  const shard = node.shards[1];
  if (shard === undefined) throw new Error('no second shard');
  const { port, user, password } = shard.options('mysql');
  const address = { hostaddr: shard.hostaddr, port, user, password };
  await withMysql(address, AbortSignal.timeout(60_000), async (administrator) => {
    await administrator.execute('SET GLOBAL max_connections = 1');
    // MySQL lets one more in than that, if it may administrate: the sessions of this compute node may.
    const ask = async (): Promise<unknown> => {
      const session = await node.session();
      await session.query('SET kluster.failover_timeout = 0');
      return session.query('SELECT 1 FROM account_2 LIMIT 1').then(
        () => 'served',
        (error: unknown) => error,
      );
    };
    const answers = [await ask(), await ask(), await ask()];
    await administrator.execute(`SET GLOBAL max_connections = ${String(sessions + 50)}`);
    expect(answers.at(-1)).toMatchObject({
      code: '08001',
      message: expect.stringContaining('shard shard_2'),
      hint: expect.stringContaining('max_connections'),
    });
    expect(await ask()).toBe('served');
  });
});
