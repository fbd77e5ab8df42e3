import type { PathSpace } from '../../core/agent-protocol.ts';
import { KlusterError, errorText } from '../../core/errors/kluster-error.ts';
import type { MachineId } from '../../core/ids.ts';
import type { Machine, MachineType, PortRange } from '../../core/model.ts';
import type { CandidateMachine } from '../../core/placement.ts';
import type { HostUse } from '../../catalog/instances.ts';
import { lowestFreePort, portStride, type PortReservation } from '../../catalog/ports.ts';
import type { Services } from '../../jobs/services.ts';
import { promisedNodes, type PromisedNode } from './promised-nodes.ts';

/** A machine as placement sees it, with what the plan needs to use it. */
export interface Candidate extends CandidateMachine {
  readonly machineId: MachineId;
  readonly agentPort: number;
  /** The directory of each kind with the most room. */
  readonly datadir: string;
  readonly logdir: string;
  readonly walLogDir: string;
  readonly compDatadir: string;
}

const spaceDeadlineMs = 5000;

/**
 * The running machines of one type, of the given addresses or all, with their use and free space. What jobs under way
 * have promised to nodes counts as used. A machine whose agent
 * does not answer is left out, and named in `unreachable`: nothing could be started on it.
 */
export async function candidateMachines(
  services: Services,
  machineType: MachineType,
  addresses: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<{ readonly candidates: readonly Candidate[]; readonly unreachable: readonly string[] }> {
  const { catalog } = services;
  const { machines, reservations, use, promised } = await catalog.database.read(
    async (sql) => ({
      machines: await catalog.machines.list(sql, { machineType, state: 'running' }),
      reservations: await catalog.ports.list(sql),
      use: await catalog.instances.hostUse(sql),
      promised: await promisedNodes(catalog, sql),
    }),
    signal,
  );
  const wanted = machines.filter(({ hostaddr }) => addresses?.includes(hostaddr) ?? true);
  const unreachable: string[] = [];
  const candidates = await Promise.all(
    wanted.map(async (machine): Promise<readonly Candidate[]> => {
      const spaces = await spaceOf(services, machine, signal);
      if (typeof spaces === 'string') {
        unreachable.push(`${machine.hostaddr} (${spaces})`);
        return [];
      }
      const own = reservations.filter((reservation) => reservation.hostaddr === machine.hostaddr);
      const taken = {
        use: use.get(machine.hostaddr),
        promised: promised.filter((node) => node.hostaddr === machine.hostaddr),
      };
      return [candidate(machine, spaces, own, taken)];
    }),
  );
  return { candidates: candidates.flat(), unreachable };
}

/** The spaces of the machine's directories, or why the agent does not tell them. */
async function spaceOf(
  services: Services,
  machine: Machine,
  signal: AbortSignal,
): Promise<readonly PathSpace[] | string> {
  const agent = services.agents.at({ hostaddr: machine.hostaddr, port: machine.agentPort });
  const paths = [...machine.datadir, ...machine.logdir, ...machine.walLogDir, ...machine.compDatadir];
  try {
    return await agent.pathSpaces([...new Set(paths)], { signal, deadlineMs: spaceDeadlineMs });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof KlusterError)) throw error;
    return errorText(error);
  }
}

function candidate(
  machine: Machine,
  spaces: readonly PathSpace[],
  reservations: readonly PortReservation[],
  { use, promised }: { readonly use: HostUse | undefined; readonly promised: readonly PromisedNode[] },
): Candidate {
  const withoutPorts = promised.filter(
    ({ machineType, hasPorts }) => machineType === machine.machineType && !hasPorts,
  );
  const roomiest = (paths: readonly string[]): PathSpace | undefined =>
    spaces
      .filter((space) => paths.includes(space.path))
      .toSorted((left, right) => right.availableMb - left.availableMb)[0];
  const data = roomiest(machine.machineType === 'storage' ? machine.datadir : machine.compDatadir);
  return {
    machineId: machine.id,
    hostaddr: machine.hostaddr,
    agentPort: machine.agentPort,
    rackId: machine.rackId,
    state: machine.state,
    totalMemoryMb: machine.totalMemoryMb,
    reservedMemoryMb: promised.reduce((sum, { memoryMb }) => sum + memoryMb, use?.memoryMb ?? 0),
    cpuCores: machine.totalCpuCores,
    availableDiskMb: data?.availableMb,
    nodes: (use?.nodes ?? 0) + promised.length,
    primaries: (use?.primaries ?? 0) + promised.filter(({ isPrimary }) => isPrimary).length,
    freePortSlots: Math.max(
      0,
      freeSlots(machine.portRange, portStride[machine.machineType], reservations) - withoutPorts.length,
    ),
    datadir: roomiest(machine.datadir)?.path ?? '',
    logdir: roomiest(machine.logdir)?.path ?? '',
    walLogDir: roomiest(machine.walLogDir)?.path ?? '',
    compDatadir: roomiest(machine.compDatadir)?.path ?? '',
  };
}

function freeSlots(range: PortRange, stride: number, reservations: readonly PortReservation[]): number {
  const taken: Pick<PortReservation, 'firstPort' | 'stride'>[] = [...reservations];
  let slots = 0;
  for (;;) {
    const firstPort = lowestFreePort(range, stride, taken, []);
    if (firstPort === undefined) return slots;
    taken.push({ firstPort, stride });
    slots += 1;
  }
}
