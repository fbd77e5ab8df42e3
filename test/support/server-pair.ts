import { Client } from 'pg';
import { afterAll } from 'vitest';
import { startComputeNode, type ComputeNode } from './compute-node.ts';
import { startPostgresServer, type PostgresServer } from './postgres-server.ts';
import { difference, outcomeOf, type Outcome, type Statement } from './two-servers.ts';

const ofThisFile: (() => Promise<void>)[] = [];

// Registered when a test file imports this module, hence before its own hooks: it runs after them.
afterAll(async () => {
  for (const cleanup of ofThisFile.splice(0).toReversed()) await cleanup();
});

/** A compute node and plain PostgreSQL, one session each, for all tests of one file. */
export interface ServerPair {
  readonly node: ComputeNode;
  readonly compute: Client;
  readonly plain: Client;
  /** For statements that prepare: they have to work. Placements are taken away for plain PostgreSQL. */
  run(sql: string): Promise<void>;
  /** Where the outcomes differ; undefined when they are the same. */
  compare(statement: Statement): Promise<string | undefined>;
  /** The same with an outcome that the compute node has given already. */
  compareWith(there: Outcome, statement: Statement): Promise<string | undefined>;
}

const withoutPlacement = (sql: string): string => sql.replace(/\s*WITH \(shard = \w+\)/gu, '');

async function plainSession(server: PostgresServer): Promise<Client> {
  const { hostaddr: host, port, user, password } = server.address;
  const client = new Client({ host, port, user, password, database: 'postgres' });
  await client.connect();
  ofThisFile.push(() => client.end());
  return client;
}

/** Takes two ports of 127.0.0.1, from `port`. */
export async function startServerPair(port: number): Promise<ServerPair> {
  const node = await startComputeNode(port);
  const server = await startPostgresServer('127.0.0.1', port + 1);
  ofThisFile.push(() => server.stop());
  const [compute, plain] = [await node.session(), await plainSession(server)];
  const compareWith = async (there: Outcome, statement: Statement): Promise<string | undefined> => {
    const here = await outcomeOf(plain, { ...statement, text: withoutPlacement(statement.text) });
    return difference(statement, there, here);
  };
  return {
    node,
    compute,
    plain,
    run: async (sql) => {
      await compute.query(sql);
      await plain.query(withoutPlacement(sql));
    },
    compare: async (statement) => compareWith(await outcomeOf(compute, statement), statement),
    compareWith,
  };
}
