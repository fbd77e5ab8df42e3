import type { PathSpace } from '../../core/agent-protocol.ts';
import type { DirectoryUse, MachineSpace } from '../../catalog/machines.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { MachineType } from '../../core/model.ts';
import type { AgentClient } from '../../client/agent.ts';

/** What the agent of a machine must tell before the machine is of use. */

/** A machine that is being registered: an agent that does not answer has its own code, 70158. */
export async function askHealth(
  agent: AgentClient,
  machineType: MachineType,
  signal: AbortSignal,
): Promise<void> {
  const health = await agent.health({ signal }).catch((error: unknown) => {
    const silent = error instanceof KlusterError && error.kind === 'agent_unreachable';
    throw silent ? new KlusterError('agent_no_answer', error.message, { cause: error.cause }) : error;
  });
  const engine = machineType === 'storage' ? 'mysql' : 'postgres';
  if (health.engines[engine] === undefined) {
    const name = machineType === 'storage' ? 'MySQL' : 'PostgreSQL';
    throw new KlusterError(
      'engine_missing',
      `The agent at ${agent.address} has no ${name}, which a ${machineType} machine needs`,
    );
  }
}

/** The directory lists of a machine. */
export interface MachineDirectories {
  readonly datadir: readonly string[];
  readonly logdir: readonly string[];
  readonly walLogDir: readonly string[];
  readonly compDatadir: readonly string[];
}

/** Sums over the paths of one list; `spaces` has every path. */
function useOf(paths: readonly string[], spaces: readonly PathSpace[]): DirectoryUse {
  const found = spaces.filter((space) => paths.includes(space.path));
  return {
    usedMb: found.reduce((total, space) => total + space.usedMb, 0),
    availableMb: found.reduce((total, space) => total + space.availableMb, 0),
  };
}

/** Makes the directories and reads their space. */
export async function measureSpace(
  agent: AgentClient,
  directories: MachineDirectories,
  signal: AbortSignal,
): Promise<MachineSpace> {
  const { datadir, logdir, walLogDir, compDatadir } = directories;
  const paths = [...new Set([...datadir, ...logdir, ...walLogDir, ...compDatadir])];
  const spaces = paths.length === 0 ? [] : await agent.pathSpaces(paths, { signal });
  return {
    datadir: useOf(datadir, spaces),
    logdir: useOf(logdir, spaces),
    walLogDir: useOf(walLogDir, spaces),
    compDatadir: useOf(compDatadir, spaces),
  };
}

/** Memory and cores as given, or as the agent reports them where 0 is given. */
export async function measureCapacity(
  agent: AgentClient,
  given: { readonly totalMemoryMb: number; readonly totalCpuCores: number },
  signal: AbortSignal,
): Promise<{ readonly totalMemoryMb: number; readonly totalCpuCores: number }> {
  if (given.totalMemoryMb > 0 && given.totalCpuCores > 0) return given;
  const stats = await agent.stats({ signal });
  return {
    totalMemoryMb: given.totalMemoryMb > 0 ? given.totalMemoryMb : Math.floor(stats.totalMemoryMb),
    totalCpuCores: given.totalCpuCores > 0 ? given.totalCpuCores : stats.cpuCores,
  };
}
