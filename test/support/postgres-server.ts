import { startPostgresIn, type PostgresServer, type PostgresServerSettings } from './postgres-process.ts';
import { scratchDirectory } from './scratch.ts';

export type { PostgresServer } from './postgres-process.ts';

/** For the tests of one file. Whoever starts it stops it. */
export async function startPostgresServer(
  hostaddr: string,
  port: number,
  settings: PostgresServerSettings = {},
): Promise<PostgresServer> {
  return startPostgresIn(await scratchDirectory(), { hostaddr, port }, settings);
}
