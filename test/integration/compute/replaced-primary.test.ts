import type { Client } from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { HostPort } from '../../../src/core/model.ts';
import { startComputeNode, type ComputeNode } from '../../support/compute-node.ts';
import { FreezingProxy } from '../../support/freezing-proxy.ts';

let node: ComputeNode;
let admin: Client;
let generation = 1;

beforeAll(async () => {
  node = await startComputeNode(22_430);
  admin = await node.session();
  await admin.query('CREATE TABLE one (id int PRIMARY KEY) WITH (shard = 1)');
  await admin.query('CREATE TABLE two (id int PRIMARY KEY) WITH (shard = 2)');
  await admin.query('CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)');
  for (const shard of [1, 2]) {
    const [from, to] = [shard * 1000, (shard + 1) * 1000];
    await admin.query(
      `CREATE TABLE parts_${String(shard)} PARTITION OF parts FOR VALUES FROM (${String(from)}) TO (${String(to)})
         WITH (shard = ${String(shard)})`,
    );
    await admin.query(`INSERT INTO parts SELECT generate_series(${String(from)}, ${String(from + 9)})`);
  }
});

/** Tells the compute node that the primary of shard 2 is there, as a failover does. */
async function moveShard({ hostaddr: host, port }: HostPort): Promise<void> {
  generation += 1;
  const shards = node.topology.shards.map((shard) =>
    shard.id === 2 ? { ...shard, nodes: [{ id: 2, host, port, primary: true }] } : shard,
  );
  await admin.query('SELECT kluster.set_topology($1)', [
    JSON.stringify({ ...node.topology, generation, shards }),
  ]);
}

interface Shard {
  /** From now on its server does not answer any more, and closes nothing. */
  freeze(): void;
  /** The answer of a statement that waits for the frozen server once another one has become the primary. */
  afterFailover<T>(statement: Promise<T>, session: Client): Promise<T>;
}

async function shardThatFreezes(): Promise<Shard> {
  const server = node.shards[1];
  if (server === undefined) throw new Error('no such shard');
  const proxy = await FreezingProxy.start(server);
  onTestFinished(() => proxy.stop());
  await moveShard(proxy.at);
  return {
    freeze: () => proxy.freeze(),
    async afterFailover(statement, session) {
      statement.catch(() => undefined);
      await expect.poll(() => waitsForShard(session), { timeout: 10_000 }).toBe(true);
      await moveShard(server);
      return statement;
    },
  };
}

const processOf = (session: Client): unknown => ('processID' in session ? session.processID : undefined);

async function waitsForShard(session: Client): Promise<boolean> {
  const { rows } = await admin.query<{ waits: boolean }>(
    "SELECT wait_event_type = 'Extension' OR wait_event = 'AppendReady' AS waits FROM pg_stat_activity WHERE pid = $1",
    [processOf(session)],
  );
  return rows[0]?.waits === true;
}

/** A session that has a connection to both shards. */
async function connectedSession(): Promise<Client> {
  const session = await node.session();
  await session.query('SELECT FROM one');
  await session.query('SELECT FROM two');
  return session;
}

// Without being told the sessions would wait for as long as the kernel keeps a silent connection: for ever.
describe('a session that waits for a primary which was replaced', () => {
  it('has its single statement done by the new one', async () => {
    const shard = await shardThatFreezes();
    const [reader, writer] = [await connectedSession(), await connectedSession()];
    shard.freeze();
    const written = writer.query('INSERT INTO two VALUES (11)');
    written.catch(() => undefined);
    await expect.poll(() => waitsForShard(writer), { timeout: 10_000 }).toBe(true);
    const read = reader.query('SELECT FROM two WHERE id < 0');
    expect(await shard.afterFailover(read, reader)).toMatchObject({ rowCount: 0 });
    expect(await written).toMatchObject({ rowCount: 1 });
  });

  it('reads the rest of a partitioned table from the new one', async () => {
    const shard = await shardThatFreezes();
    const session = await connectedSession();
    shard.freeze();
    const read = await shard.afterFailover(session.query('SELECT id FROM parts'), session);
    expect(read.rowCount).toBe(20);
  });

  it('loses its transaction with one error, and goes on', async () => {
    // Other rows each time: what hangs keeps its locks, here on the server that becomes the primary.
    for (const [row, sql] of ['INSERT INTO two VALUES (9)', 'SELECT id FROM parts'].entries()) {
      const shard = await shardThatFreezes();
      const session = await connectedSession();
      await session.query('BEGIN');
      await session.query('INSERT INTO one VALUES ($1)', [row]);
      await session.query('INSERT INTO two VALUES ($1)', [row]);
      shard.freeze();
      await expect(shard.afterFailover(session.query(sql), session)).rejects.toMatchObject({
        code: '08006',
        message: expect.stringContaining('no longer the primary'),
        hint: 'Run the transaction again.',
      });
      await session.query('ROLLBACK');
      for (const table of ['one', 'two'])
        expect(await session.query(`SELECT FROM ${table} WHERE id = $1`, [row])).toMatchObject({
          rowCount: 0,
        });
    }
  });

  it('is told that it is unknown whether its commit was done', async () => {
    const shard = await shardThatFreezes();
    const session = await connectedSession();
    await session.query('BEGIN');
    await session.query('INSERT INTO two VALUES (14)');
    shard.freeze();
    await expect(shard.afterFailover(session.query('COMMIT'), session)).rejects.toMatchObject({
      code: '08007',
    });
    expect(await session.query('SELECT FROM two WHERE id = 14')).toMatchObject({ rowCount: 0 });
  });
});
