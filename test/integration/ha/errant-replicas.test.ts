import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StorageNodeJson } from '../../../src/core/rest-types.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { WrittenCluster } from '../../support/written-cluster.ts';

const patient = { timeout: 240_000, interval: 200 };

let installation: TestInstallation;
let cluster: WrittenCluster;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), {
    network: '127.0.48',
    machines: 3,
  });
  cluster = await WrittenCluster.create(installation, { ha_mode: 'rbr' });
});
afterAll(async () => {
  await cluster?.close();
  await installation?.close();
});

/** It follows nobody, and has a transaction of its own: only a copy of another node mends that. */
async function makeErrant(node: StorageNodeJson): Promise<void> {
  await cluster.onNode(node, async (mysql) => {
    await mysql.query('STOP REPLICA');
    await mysql.query('RESET REPLICA ALL');
    await mysql.query('SET GLOBAL super_read_only = OFF');
    await mysql.query('CREATE DATABASE astray');
    await mysql.query('SET GLOBAL super_read_only = ON');
  });
}

describe('an rbr shard none of whose replicas can acknowledge before it is rebuilt', () => {
  it('takes writes again, and has lost none', { timeout: 300_000 }, async () => {
    const acknowledged = [await cluster.write(), await cluster.write()].flatMap((number) => number ?? []);
    expect(acknowledged).toHaveLength(2);
    for (const replica of await cluster.replicas()) await makeErrant(replica);
    await expect
      .poll(async () => {
        const number = await cluster.write();
        if (number !== null) acknowledged.push(number);
        return number !== null;
      }, patient)
      .toBe(true);
    await cluster.expectAllThere(acknowledged);
    // Both are rebuilt without anybody asking for it.
    await expect
      .poll(async () => (await cluster.replicas()).map(({ status }) => status), patient)
      .toEqual(['active', 'active']);
    await expect.poll(() => cluster.expectWhole().then(() => true, String), patient).toBe(true);
  });
});
