import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { Client } from 'pg';
import type { PostgresInstanceSpec } from '../../src/core/agent-protocol.ts';
import { instanceId } from '../../src/core/ids.ts';
import {
  localRole,
  postgresConfiguration,
  postgresHostAccess,
  postgresIdentities,
} from '../../src/engines/postgres/configuration.ts';
import { postgresLayout, type PostgresLayout } from '../../src/engines/postgres/layout.ts';
import { runProgram } from '../../src/engines/run-program.ts';
import {
  bareDeadlineMs,
  endServer,
  makeDirectories,
  startServer,
  type BareInput,
  type BareServer,
} from './bare-server.ts';

export class BarePostgres implements BareServer {
  readonly #input: BareInput;
  readonly #layout: PostgresLayout;
  readonly #spec: PostgresInstanceSpec;
  #child: ChildProcess | undefined;

  constructor(input: BareInput, directory: string) {
    this.#input = input;
    this.#spec = {
      engine: 'postgres',
      hostaddr: input.hostaddr,
      port: 48_000,
      datadir: directory,
      profile: 'small',
      labels: {},
      sealedAccounts: '',
    };
    this.#layout = postgresLayout(instanceId('pg0'), this.#spec);
  }

  async initialise(): Promise<void> {
    const { postgres, user } = this.#input;
    const { directories, sockets, configuration, hostAccess, identities, data } = this.#layout;
    await makeDirectories([...directories, sockets], user);
    await writeFile(configuration, postgresConfiguration(this.#spec, this.#layout));
    await writeFile(hostAccess, postgresHostAccess());
    await writeFile(identities, postgresIdentities([...new Set([userInfo().username, user.name])]));
    const { file, args } = postgres.command('initdb', [
      `--pgdata=${data}`,
      `--username=${localRole}`,
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--auth=peer',
      '--data-checksums',
    ]);
    const signal = AbortSignal.timeout(bareDeadlineMs);
    await runProgram('initdb', { file, args, user, cwd: '/', signal, deadlineMs: bareDeadlineMs });
  }

  async start(): Promise<void> {
    const { postgres, user } = this.#input;
    const { configuration, sockets } = this.#layout;
    const command = postgres.command('postgres', [`--config-file=${configuration}`]);
    this.#child = await startServer(command, user, () => oneQuery(sockets, this.#spec.port));
  }

  async stop(): Promise<void> {
    // Immediate shutdown (manual 19.5); SIGKILL would leave shared memory and helper processes behind.
    await endServer(this.#child, 'SIGQUIT');
  }
}

async function oneQuery(host: string, port: number): Promise<void> {
  const session = new Client({ host, port, user: localRole, database: 'postgres' });
  // A broken connection is reported to the query and as an event; the query's is enough.
  session.on('error', () => undefined);
  try {
    await session.connect();
    await session.query('SELECT 1');
  } finally {
    await session.end();
  }
}
