import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CatalogProbe } from '../../support/catalog-probe.ts';
import { DistributedBank } from '../../support/distributed-bank.ts';
import { leftProcesses } from '../../support/leftovers.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const accounts = 40;
const testMs = 180_000;

let installation: TestInstallation;
let probe: CatalogProbe | undefined;
let bank: DistributedBank;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.47', machines: 1 });
  bank = await DistributedBank.open(
    installation,
    async () => (probe ??= await CatalogProbe.open(installation.home)),
    accounts,
  );
});
afterAll(async () => {
  await probe?.close();
  await installation?.close();
});

/** Commits a transfer in a session that dies, or pauses, at the place. */
async function commitAt(place: string, account: number, entry: string): Promise<Client> {
  const session = await bank.session('compute_superuser');
  await session.query('BEGIN');
  await bank.transfer(session, account, entry);
  await session.query(`SELECT set_config('kluster.fault_point', $1, false)`, [place]);
  return session;
}

async function killMetadataServer(): Promise<void> {
  const directory = installation.home.metadataDirectory;
  const processes = await leftProcesses({ id: directory, directory }, 0);
  const server = processes.find(({ command }) => command.includes('mysqld'));
  if (server === undefined) throw new Error('no metadata server runs');
  process.kill(server.pid, 'SIGKILL');
}

describe('a commit over two shards', { timeout: testMs }, () => {
  it('is all or nothing, wherever the backend dies', async () => {
    const before = ['before_prepare', 'during_prepare', 'after_prepare'];
    const after = ['after_decision', 'during_commit', 'after_commit'];
    for (const [index, place] of [...before, ...after].entries()) {
      const session = await commitAt(place, index + 1, place);
      await expect(session.query('COMMIT')).rejects.toThrow();
    }
    const made = await bank.expectConsistent(accounts);
    expect([...before, ...after].filter((place) => made.has(place))).toEqual(after);
  });

  it('goes through when a shard dies after all are prepared', async () => {
    const [, second] = await bank.shards();
    const session = await commitAt('after_prepare:pause', 10, 'shard died');
    const committing = session.query('COMMIT');
    await expect.poll(() => bank.prepared(), { timeout: 4000, interval: 50 }).toBe(2);
    await bank.kill(second.primary);
    await committing;
    expect(await bank.expectConsistent(accounts)).toContain('shard died');
    await session.end();
  });

  it('goes through when the whole compute node dies after the decision', async () => {
    const [comp] = (await bank.cluster()).comps;
    if (comp === undefined) throw new Error('no compute node');
    const session = await commitAt('after_decision:pause', 11, 'node died');
    const committing = session.query('COMMIT').catch(() => undefined);
    await expect.poll(() => bank.prepared(), { timeout: 4000, interval: 50 }).toBe(2);
    // Both are prepared before the decision is written, which takes some milliseconds.
    await sleep(1000);
    await bank.kill(comp);
    await committing;
    expect(await bank.expectConsistent(accounts)).toContain('node died');
  });

  it.each([true, false])(
    'is all or nothing when the metadata server dies before the decision; the manager lives: %s',
    async (managerLives) => {
      const entry = `undecided ${String(managerLives)}`;
      const session = await commitAt('after_prepare:pause', 13, entry);
      await session.query("SET kluster.failover_timeout = '1s'");
      const committing = session.query('COMMIT').then(
        () => 'committed',
        (error: unknown) => String(Reflect.get(Object(error), 'code')),
      );
      await expect.poll(() => bank.prepared(), { timeout: 4000, interval: 50 }).toBe(2);
      // The manager starts the metadata server again as soon as it sees that it has ended.
      if (!managerLives) await installation.stopManager();
      await killMetadataServer();
      const answer = await committing;
      if (!managerLives) {
        await installation.startManager();
        // Nobody could have decided to commit.
        expect(answer).not.toBe('committed');
      }
      const made = await bank.expectConsistent(accounts);
      expect(['committed', '40001', '08001', '08006', '08007']).toContain(answer);
      if (answer !== '08007') expect(made.has(entry)).toBe(answer === 'committed');
      // What was undecided is over, and the session can be used again.
      await session.query("SELECT set_config('kluster.fault_point', '', false)");
      await session.query('BEGIN');
      await bank.transfer(session, 13, `${entry}, again`);
      await session.query('COMMIT');
      expect(await bank.expectConsistent(accounts)).toContain(`${entry}, again`);
      await session.end();
    },
  );

  it('is refused with one clear error when a shard dies before it is prepared, and the session goes on', async () => {
    const [, second] = await bank.shards();
    const session = await bank.session();
    await session.query('BEGIN');
    await bank.transfer(session, 12, 'too early');
    await bank.kill(second.primary);
    await expect(session.query('COMMIT')).rejects.toMatchObject({ code: '08006' });
    await session.query('BEGIN');
    await bank.transfer(session, 12, 'again');
    await session.query('COMMIT');
    const made = await bank.expectConsistent(accounts);
    expect(made).toContain('again');
    expect(made).not.toContain('too early');
    await session.end();
  });

  it('keeps the money together while backends, shards and the manager are killed', async () => {
    const until = performance.now() + 25_000;
    const acknowledged: string[] = [];
    const backends = new Map<number, number>();
    const write = async (writer: number): Promise<void> => {
      let session = await bank.session();
      for (let number = 1; performance.now() < until; number += 1) {
        const entry = `w${String(writer)}-${String(number)}`;
        try {
          const { rows } = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
          const [row] = rows;
          if (row !== undefined) backends.set(writer, row.pid);
          await session.query('BEGIN');
          await bank.transfer(session, 20 + ((writer * 7 + number) % 16), entry);
          await session.query('COMMIT');
          acknowledged.push(entry);
        } catch {
          await session.end().catch(() => undefined);
          session = await bank.session();
        }
      }
      await session.end().catch(() => undefined);
    };
    const kill = async (): Promise<void> => {
      for (let round = 0; performance.now() < until - 5000; round += 1) {
        await sleep(2500);
        const shards = await bank.shards();
        if (round % 4 === 0) await bank.kill((shards[round % 2] ?? shards[0]).primary);
        const backend = backends.get(round % 4);
        if (round % 4 === 1 && backend !== undefined) process.kill(backend, 'SIGKILL');
        if (round % 4 === 2) await installation.stopManager();
        if (round % 4 === 3) await installation.startManager();
      }
    };
    await Promise.all([write(0), write(1), write(2), write(3), kill()]);
    await installation.startManager().catch(() => undefined);
    const made = await bank.expectConsistent(accounts);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.filter((entry) => !made.has(entry))).toEqual([]);
  });
});
