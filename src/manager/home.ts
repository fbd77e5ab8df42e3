import { chmod, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { isMissing } from './json-file.ts';

/**
 * The home: one directory that holds everything of one installation, so that several live side by side and removing
 * the directory removes the installation.
 *
 *   config.json            addresses, ports, access (`home-config.ts`)
 *   secrets/               0700: what only the owner may read
 *     secret               shared by manager and agents: signs their requests, seals accounts
 *     key                  encrypts credentials in the catalog
 *     metadata.json        the account that administers the metadata servers
 *   run/                   manager.pid, agent.pid (`process-file.ts`), markers of the command line
 *   log/                   manager.log, agent.log
 *   metadata/              data of the metadata server of a standalone installation
 *   agent/                 the agent's state
 *   data/                  default data directories of the machine that `kluster up` registers
 */
export interface Home {
  readonly directory: string;
  readonly configFile: string;
  readonly secretsDirectory: string;
  readonly secretFile: string;
  readonly keyFile: string;
  readonly metadataCredentialsFile: string;
  readonly runDirectory: string;
  readonly managerPidFile: string;
  readonly agentPidFile: string;
  readonly logDirectory: string;
  readonly managerLog: string;
  readonly agentLog: string;
  readonly metadataDirectory: string;
  readonly agentDirectory: string;
  readonly dataDirectory: string;
}

/** The paths of a home; touches nothing. */
export function homeAt(path: string): Home {
  const directory = resolve(path);
  const secretsDirectory = join(directory, 'secrets');
  const runDirectory = join(directory, 'run');
  const logDirectory = join(directory, 'log');
  return {
    directory,
    configFile: join(directory, 'config.json'),
    secretsDirectory,
    secretFile: join(secretsDirectory, 'secret'),
    keyFile: join(secretsDirectory, 'key'),
    metadataCredentialsFile: join(secretsDirectory, 'metadata.json'),
    runDirectory,
    managerPidFile: join(runDirectory, 'manager.pid'),
    agentPidFile: join(runDirectory, 'agent.pid'),
    logDirectory,
    managerLog: join(logDirectory, 'manager.log'),
    agentLog: join(logDirectory, 'agent.log'),
    metadataDirectory: join(directory, 'metadata'),
    agentDirectory: join(directory, 'agent'),
    dataDirectory: join(directory, 'data'),
  };
}

/** `KLUSTER_HOME`, else `/var/lib/kluster` for root and `~/.kluster` for everybody else. */
export function defaultHomeDirectory(environment: NodeJS.ProcessEnv, uid = process.getuid?.()): string {
  const named = environment['KLUSTER_HOME'];
  if (named !== undefined && named !== '') return named;
  return uid === 0 ? '/var/lib/kluster' : join(homedir(), '.kluster');
}

/** Makes the directories that are missing and corrects the modes of all. Repeating it changes nothing. */
export async function ensureHome(home: Home): Promise<void> {
  // Engines run as another user than root and must be able to pass through; what is secret has its own directory.
  const passable = [home.directory, home.metadataDirectory, home.agentDirectory, home.dataDirectory];
  const owned = [home.runDirectory, home.logDirectory];
  for (const directory of [...passable, ...owned]) await makeDirectory(directory, 0o755);
  await makeDirectory(home.secretsDirectory, 0o700);
}

async function makeDirectory(directory: string, mode: number): Promise<void> {
  try {
    for (const parent of parentsOf(directory)) await makeIfMissing(parent);
    await chmod(directory, mode);
  } catch (error) {
    throw new KlusterError(
      'configuration',
      `the home needs the directory ${directory}, which cannot be made: ${errorText(error)}`,
      { cause: error },
    );
  }
}

/** Not mkdir's own `recursive`: Node 20 repeats it without end where the kernel answers ENOENT, as below /proc. */
async function makeIfMissing(directory: string): Promise<void> {
  if (await isDirectory(directory)) return;
  try {
    await mkdir(directory);
  } catch (error) {
    // Another command may have made it in the meantime.
    if (!(await isDirectory(directory))) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export interface EngineOwner {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Checks that the user of the engine processes can reach a directory. Throws `configuration` naming the first parent
 * directory that stops it, which the server would otherwise report only as a failed start.
 */
export async function checkTraversable(directory: string, user: EngineOwner): Promise<void> {
  for (const parent of parentsOf(directory)) {
    const { mode, uid, gid } = await stat(parent);
    const permission = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if (user.uid !== 0 && (mode & permission) === 0) {
      throw new KlusterError(
        'configuration',
        `user ${user.name}, who runs the database servers, cannot pass through ${parent} to reach ${directory}`,
      );
    }
  }
}

/** From the root directory to the directory itself. */
function parentsOf(directory: string): readonly string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [...parentsOf(parent), directory];
}
