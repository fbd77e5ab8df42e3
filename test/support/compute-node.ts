import { Client } from 'pg';
import { afterAll, onTestFinished, TestRunner } from 'vitest';
import { startComputeEngines, type ComputeEngines } from './compute-engines.ts';
import { scratchDirectory } from './scratch.ts';

/** A compute node over two shards, for the tests of one file. */
export interface ComputeNode extends Omit<ComputeEngines, 'stop'> {
  /** A session in database `postgres`, or another; closed when the test ends, or after the tests of the file. */
  session(database?: string): Promise<Client>;
}

const ofThisFile: (() => Promise<void>)[] = [];

// Registered when a test file imports this module, hence before its own hooks: it runs after them.
afterAll(async () => {
  for (const cleanup of ofThisFile.splice(0).toReversed()) await cleanup();
});

/** `port` is PostgreSQL's on 127.0.0.1; `parameters` as `name=value`. Everything ends after the tests of the file. */
export async function startComputeNode(
  port: number,
  parameters: readonly string[] = [],
): Promise<ComputeNode> {
  const engines = await startComputeEngines(await scratchDirectory(), port, parameters);
  ofThisFile.push(() => engines.stop());
  const { hostaddr: host, user, password } = engines.address;
  const session = async (database = 'postgres'): Promise<Client> => {
    const client = new Client({ host, port, user, password, database });
    // A server that a test kills breaks its sessions; that is no failure of the test.
    client.on('error', () => undefined);
    await client.connect();
    const close = () => client.end().catch(() => undefined);
    if (TestRunner.getCurrentTest() === undefined) ofThisFile.push(close);
    else onTestFinished(close);
    return client;
  };
  return { ...engines, session };
}
