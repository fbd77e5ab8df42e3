import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineName } from '../core/agent-protocol.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { InstanceId } from '../core/ids.ts';
import type { EngineInstance } from '../engines/engine.ts';
import { lockFile } from '../engines/file-lock.ts';
import { engineUser } from '../engines/installation.ts';
import { findByArgument, type ProcessIdentity } from '../engines/process-identity.ts';
import { detectCgroup } from './cgroup/detect.ts';
import { whenNotBusy } from './cgroup/files.ts';
import { tokened } from './cgroup/tokened.ts';
import { EngineProcess } from './engine-process.ts';
import { Engines } from './engines.ts';
import { endsInOrder } from './in-order.ts';
import { removeDirectories } from './instance-directories.ts';
import { RecordStore, type InstanceRecord } from './instance-record.ts';

export interface ShutDownOptions {
  /** Of an agent that has ended, or that is about to. */
  readonly stateDirectory: string;
  /** The installation's, which accounts of the agent are derived from; empty when it is lost. */
  readonly secret: string;
  /** Also removes every directory and record of the instances. */
  readonly remove: boolean;
}

export interface ShutDownReport {
  readonly stopped: readonly InstanceId[];
  /** Directories with the names of instances that the agent did not make, and that were left alone. */
  readonly foreign: readonly string[];
}

/** Clients first: nothing writes to a storage node any more when it is asked to end. */
const order: readonly EngineName[] = ['postgres', 'mysql'];
const lockWaitMs = 20_000;
const orderlyMs = 90_000;
const killMs = 15_000;

interface Found {
  readonly record: InstanceRecord;
  readonly engine: EngineInstance;
  readonly processes: readonly ProcessIdentity[];
}

/**
 * Ends the engine processes of a state directory without an agent. What is desired of the instances stays, so the next
 * agent starts them again. Holds the agent's lock meanwhile.
 *
 * @throws KlusterError already_running while an agent uses the state directory
 */
export async function shutDownInstances(options: ShutDownOptions): Promise<ShutDownReport> {
  const { stateDirectory, remove } = options;
  const records = join(stateDirectory, 'instances');
  if (!existsSync(records)) return { stopped: [], foreign: [] };
  const lock = await agentLock(stateDirectory);
  try {
    const store = await RecordStore.open(records);
    const user = await engineUser();
    const engines = await Engines.open({ user, templateDirectory: join(stateDirectory, 'templates') });
    const found = (await store.load()).map((record): Found => {
      const { instanceId: id, spec } = record;
      // Accounts serve the making of an instance only.
      const engine = engines.instance({ id, spec, accounts: [], secret: options.secret });
      return { record, engine, processes: findByArgument(engine.mark, user.uid) };
    });
    for (const name of order) {
      const instances = found.filter(({ record }) => record.spec.engine === name);
      // All are closed before one ends: a commit waits for what other nodes say.
      const running = instances.filter(({ processes }) => processes.length > 0);
      const inOrder = await Promise.all(running.map(({ engine }) => endsInOrder(engine)));
      await Promise.all(running.map((one, index) => endProcesses(one, inOrder[index] === true)));
    }
    const foreign = remove ? await removeAll(found, store) : [];
    const stopped = found.filter(({ processes }) => processes.length > 0);
    return { stopped: stopped.map(({ record }) => record.instanceId), foreign };
  } finally {
    await lock.release();
  }
}

async function agentLock(stateDirectory: string): Promise<{ release(): Promise<void> }> {
  try {
    return await lockFile(join(stateDirectory, 'agent.lock'), AbortSignal.timeout(lockWaitMs));
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    throw new KlusterError('already_running', `an agent still uses ${stateDirectory}`, { cause: error });
  }
}

async function endProcesses({ record, engine, processes }: Found, inOrder: boolean): Promise<void> {
  for (const identity of processes) {
    const process = EngineProcess.adopt(identity);
    try {
      if (inOrder) process.signal(engine.stopSignal);
      if (inOrder && (await endsWithin(process, orderlyMs))) continue;
      process.kill();
      if (await endsWithin(process, killMs)) continue;
      throw new KlusterError(
        'agent_refused',
        `process ${String(identity.pid)} of ${record.instanceId} does not end on SIGKILL`,
      );
    } finally {
      process.release();
    }
  }
}

async function endsWithin(process: EngineProcess, milliseconds: number): Promise<boolean> {
  const enough = new AbortController();
  const late = sleep(milliseconds, false, { signal: enough.signal }).catch(() => false);
  const ended = await Promise.race([process.exited.then(() => true), late]);
  enough.abort();
  return ended;
}

async function removeAll(found: readonly Found[], store: RecordStore): Promise<readonly string[]> {
  const cgroup = detectCgroup();
  const foreign: string[] = [];
  for (const { record, engine } of found) {
    const { instanceId, token } = record;
    if (cgroup !== null) {
      await whenNotBusy(() => {
        tokened(cgroup, token).remove(instanceId);
      });
    }
    foreign.push(...(await removeDirectories({ instanceId, token, directories: engine.directories })));
    await store.delete(instanceId);
  }
  return foreign;
}
