import { existsSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import type { Command } from 'commander';
import { shutDownInstances } from '../../agent/shut-down.ts';
import type { Home } from '../../manager/home.ts';
import { readTextFile } from '../../manager/json-file.ts';
import { endProcess, readLiveProcess } from '../../manager/process-file.ts';
import { homeOf, type CliContext, type GlobalOptions } from '../context.ts';
import { printLine, remark, type Terminal } from '../terminal.ts';
import { lockHome } from '../up/lock-home.ts';

interface DownOptions extends GlobalOptions {
  readonly purge?: boolean;
}

/** A manager first ends its running steps, an agent its requests. */
const serverGraceMs = 30_000;

/** `kluster down`: stops everything of this home; `kluster up` brings it back. */
export function addDownCommand(program: Command, context: CliContext): void {
  program
    .command('down')
    .description('Stop everything of this home on this machine; `up` starts it again')
    .option('--purge', 'also remove the data: every directory of this home')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DownOptions>();
      await down(context, homeOf(context, options), options.purge === true);
    });
}

async function down({ terminal, interrupted }: CliContext, home: Home, purge: boolean): Promise<void> {
  if (!existsSync(home.runDirectory)) {
    printLine(terminal, `There is nothing in ${home.directory}.`);
    return;
  }
  const lock = await lockHome(home, interrupted);
  try {
    // The manager goes first: it would take the end of the others for failures and act on it.
    const servers = [
      ['manager', home.managerPidFile],
      ['agent', home.agentPidFile],
    ] as const;
    let stopped = 0;
    for (const [role, file] of servers) stopped += await stopServer(terminal, role, file);
    // The agent's engines first, compute nodes before storage nodes; then the metadata server.
    const secret = (await readTextFile(home.secretFile))?.trim() ?? '';
    for (const stateDirectory of [home.agentDirectory, home.metadataDirectory]) {
      const report = await shutDownInstances({ stateDirectory, secret, remove: purge });
      for (const id of report.stopped) remark(terminal, `${id} stopped`);
      for (const directory of report.foreign)
        remark(terminal, `${directory} is not of this home and was left`);
      stopped += report.stopped.length;
    }
    if (purge) await removeHome(home);
    printLine(terminal, downLine(stopped, purge));
  } finally {
    await lock.release();
  }
  if (purge) await removeIfEmpty([home.runDirectory, home.directory]);
}

function downLine(stopped: number, purge: boolean): string {
  const what = stopped === 0 ? 'Kluster was down already' : 'Kluster is down';
  return purge ? `${what}; its data are removed.` : `${what}; its data are kept.`;
}

async function stopServer(terminal: Terminal, role: string, file: string): Promise<number> {
  const running = await readLiveProcess(file);
  if (running === undefined) return 0;
  const orderly = await endProcess(running, serverGraceMs);
  remark(terminal, orderly ? `${role} stopped` : `${role} did not stop by itself and was killed`);
  await rm(file, { force: true });
  return 1;
}

/** Only what this program makes: a home set to the wrong directory by mistake loses nothing else. */
async function removeHome(home: Home): Promise<void> {
  const parts = [
    home.metadataDirectory,
    home.agentDirectory,
    home.dataDirectory,
    home.secretsDirectory,
    home.logDirectory,
    home.configFile,
    home.managerPidFile,
    home.agentPidFile,
  ];
  for (const part of parts) await rm(part, { recursive: true, force: true });
}

async function removeIfEmpty(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    try {
      await rmdir(directory);
    } catch (error) {
      // Not empty: not ours alone. Not permitted: the parent directory belongs to somebody else.
      const expected = ['ENOTEMPTY', 'ENOENT', 'EBUSY', 'EACCES', 'EPERM'];
      if (!(error instanceof Error && 'code' in error && expected.includes(String(error.code)))) throw error;
    }
  }
}
