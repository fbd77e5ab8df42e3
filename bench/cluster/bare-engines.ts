import { chmod, mkdir, rm } from 'node:fs/promises';
import { BareMysql } from './bare-mysql.ts';
import { BarePostgres } from './bare-postgres.ts';
import type { BareInput, BareServer } from './bare-server.ts';

/** Milliseconds. */
export interface BareTimes {
  readonly initialise: number;
  readonly start: number;
  readonly whole: number;
}

/**
 * The work of the engines alone: `storageServers` mysqld and one PostgreSQL, from nothing to answering queries, without
 * accounts, replication or anything else. All servers of a stage at once, or one after another.
 */
export async function bareEngines(
  input: BareInput,
  directory: string,
  { storageServers, atOnce }: { readonly storageServers: number; readonly atOnce: boolean },
): Promise<BareTimes> {
  await mkdir(directory);
  await chmod(directory, 0o755);
  const servers: readonly BareServer[] = [
    ...Array.from({ length: storageServers }, (_, index) => new BareMysql(input, directory, index)),
    new BarePostgres(input, directory),
  ];
  const all = async (work: (server: BareServer) => Promise<void>): Promise<void> => {
    if (atOnce) await Promise.all(servers.map(work));
    else for (const server of servers) await work(server);
  };
  try {
    const begin = performance.now();
    await all((server) => server.initialise());
    const initialised = performance.now();
    await all((server) => server.start());
    const end = performance.now();
    return { initialise: initialised - begin, start: end - initialised, whole: end - begin };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
