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
    network: '127.0.49',
    machines: 3,
  });
  cluster = await WrittenCluster.create(installation, { ha_mode: 'rbr' });
});
afterAll(async () => {
  await cluster?.close();
  await installation?.close();
});

/**
 * It has a transaction of its own, and follows nobody: only a copy of another node mends that. The transaction comes first:
 * without it the manager, which hears of the rest at once, would make the node follow again.
 */
async function makeErrant(node: StorageNodeJson): Promise<void> {
  await cluster.onNode(node, async (mysql) => {
    const write = async (): Promise<boolean> => {
      await mysql.query('SET GLOBAL super_read_only = OFF');
      // The manager may have closed it again in between.
      return mysql.query('CREATE DATABASE astray').then(
        () => true,
        () => false,
      );
    };
    await expect.poll(write, patient).toBe(true);
    await mysql.query('SET GLOBAL super_read_only = ON');
    await mysql.query('STOP REPLICA');
    await mysql.query('RESET REPLICA ALL');
  });
}

/** Until one is acknowledged; gives its number. */
async function writeAgain(): Promise<number> {
  let number: number | null = null;
  await expect
    .poll(async () => {
      number = await cluster.write();
      return number !== null;
    }, patient)
    .toBe(true);
  if (number === null) throw new Error('nothing was written');
  return number;
}

/** Both replicas are made again without anybody asking for it, and have everything. */
async function expectReplicasBack(): Promise<void> {
  const left = async (node: StorageNodeJson): Promise<string> => {
    const found = await cluster.onNode(node, (mysql) => mysql.query("SHOW DATABASES LIKE 'astray'"));
    return found.length === 0 ? node.status : 'has a transaction of its own';
  };
  const states = async () => Promise.all((await cluster.replicas()).map((node) => left(node).catch(String)));
  await expect.poll(states, patient).toEqual(['active', 'active']);
  await expect.poll(() => cluster.expectWhole().then(() => true, String), patient).toBe(true);
}

describe('an rbr shard none of whose replicas can acknowledge before it is rebuilt', () => {
  it('takes writes again, and has lost none', { timeout: 300_000 }, async () => {
    const acknowledged = [await writeAgain(), await writeAgain()];
    for (const replica of await cluster.replicas()) await makeErrant(replica);
    acknowledged.push(await writeAgain());
    await cluster.expectAllThere(acknowledged);
    await expectReplicasBack();
  });

  it(
    'does so without a replica that does not return, and counts on none that lacks something',
    { timeout: 400_000 },
    async () => {
      const acknowledged = [await writeAgain()];
      const [lost, errant] = await cluster.replicas();
      if (lost === undefined || lost.pid === null || errant === undefined)
        throw new Error('two replicas wanted');
      await installation.stopAgent(lost.hostaddr);
      process.kill(lost.pid, 'SIGKILL');
      await makeErrant(errant);
      acknowledged.push(await writeAgain());
      await cluster.expectAllThere(acknowledged);
      await installation.startAgent(lost.hostaddr);
      await expectReplicasBack();
      await cluster.expectAllThere(acknowledged);
    },
  );
});
