import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { numberOf, type SqlRow } from '../../../src/engines/sql.ts';
import { catalogAccount } from '../../support/catalog-account.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const testMs = 180_000;

/** Each manager dies at the next step of the failover that it finds to be done. */
describe('a failover whose managers are killed', { timeout: testMs }, () => {
  let installation: ProcessInstallation;
  let faults: { readonly mode: string; readonly file: string };
  let management: { readonly user: string; readonly password: string };

  beforeAll(async () => {
    installation = await ProcessInstallation.start(await scratchDirectory(), {
      network: '127.0.32',
      machines: 3,
    });
    const cluster = { ha_mode: 'rbr', shards: '1', nodes: '3', comps: '1', dbcfg: '1' };
    expect(await installation.run('create_cluster', cluster)).toMatchObject({ status: 'done' });
    management = await catalogAccount(installation.home, clusterScope(clusterId(1)), 'management');
    faults = { mode: 'kill-everywhere', file: join(installation.home.directory, 'fault-points') };
    const primary = await source();
    await onNode(primary, 'CREATE DATABASE app');
    await onNode(primary, 'CREATE TABLE app.audit (id INT PRIMARY KEY)');
  }, testMs);
  afterAll(() => installation?.close());

  async function nodes(): Promise<readonly StorageNodeJson[]> {
    const [cluster] = (await installation.client.status()).clusters;
    return cluster?.shards[0]?.nodes ?? [];
  }

  async function source(): Promise<StorageNodeJson> {
    const found = (await nodes()).find(({ role }) => role === 'source');
    if (found === undefined) throw new Error('no primary is recorded');
    return found;
  }

  function onNode(
    { hostaddr, port }: StorageNodeJson,
    statement: string,
    deadlineMs = 10_000,
  ): Promise<readonly SqlRow[]> {
    return withMysql({ hostaddr, port, ...management }, AbortSignal.timeout(deadlineMs), (session) =>
      session.query(statement),
    );
  }

  async function writable(known: readonly StorageNodeJson[]): Promise<readonly string[]> {
    const answers = await Promise.all(
      known.map(async (node) => {
        const [row] = await onNode(node, 'SELECT @@GLOBAL.super_read_only AS closed').catch(() => []);
        return row !== undefined && numberOf(row, 'closed') === 0 ? [node.hostaddr] : [];
      }),
    );
    return answers.flat();
  }

  /** Kills the primary, and one manager after another at the points; the next manager ends the failover. */
  async function failOverThrough(points: readonly string[]): Promise<void> {
    const known = await nodes();
    const old = await source();
    if (old.pid === null) throw new Error('the primary has no process');
    const before = await visited();
    await installation.killManager();
    // Nobody starts it again: whoever comes next finds it silent.
    await installation.killAgent(old.hostaddr);
    process.kill(old.pid, 'SIGKILL');
    for (const _ of points) {
      await installation.startManager(faults);
      await installation.managerEnded();
      expect((await writable(known)).length).toBeLessThanOrEqual(1);
    }
    expect((await visited()).slice(before.length)).toEqual(points);
    await installation.startManager();
    await installation.startAgent(old.hostaddr);
    await expect
      .poll(async () => (await nodes()).map(({ status }) => status), { timeout: 60_000 })
      .toEqual(['active', 'active', 'active']);
    await expect.poll(() => writable(known), { timeout: 60_000 }).toEqual([(await source()).hostaddr]);
    expect((await source()).hostaddr).not.toBe(old.hostaddr);
  }

  async function visited(): Promise<readonly string[]> {
    const text = await readFile(faults.file, 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  async function write(first: number, last: number): Promise<void> {
    for (let id = first; id <= last; id += 1) {
      await onNode(await source(), `INSERT INTO app.audit VALUES (${String(id)})`, 60_000);
    }
  }

  async function expectRowsEverywhere(rows: number): Promise<void> {
    for (const node of await nodes()) {
      const count = async (): Promise<number> => {
        const [row] = await onNode(node, 'SELECT COUNT(*) AS rows_there FROM app.audit').catch(() => []);
        return row === undefined ? -1 : numberOf(row, 'rows_there');
      };
      await expect.poll(count, { timeout: 60_000 }).toBe(rows);
    }
  }

  it('before the new primary is open, ends with one primary that has every row and takes more', async () => {
    await write(1, 10);
    await failOverThrough(['fail_over:fence', 'fail_over:apply', 'fail_over:promote']);
    await write(11, 12);
    await expectRowsEverywhere(12);
  });

  it('after it is open, ends likewise, right after the first failover', async () => {
    await failOverThrough(['fail_over:open']);
    await write(13, 14);
    await expectRowsEverywhere(14);
  });
});
