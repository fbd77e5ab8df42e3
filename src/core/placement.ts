import { choosePrimaries } from './placement/primaries.ts';
import { roomOf, type CandidateMachine, type NodeDemand } from './placement/room.ts';
import { spreadGroups, type Slot } from './placement/spread.ts';

export type { CandidateMachine, NodeDemand } from './placement/room.ts';

/** What is to be placed. Storage and computer machines are separate lists, even where one host is both. */
export interface PlacementRequest<Machine extends CandidateMachine> {
  readonly storage?: {
    readonly machines: readonly Machine[];
    /** Shards. */
    readonly groups: number;
    readonly nodesPerGroup: number;
    readonly demand: NodeDemand;
  };
  readonly compute?: {
    readonly machines: readonly Machine[];
    readonly nodes: number;
    readonly demand: NodeDemand;
  };
}

export type Placement<Machine extends CandidateMachine> =
  | {
      readonly placed: true;
      /** Per shard the machines of its nodes; the first node becomes the primary. */
      readonly groups: readonly (readonly Machine[])[];
      readonly computeNodes: readonly Machine[];
      /** What the operator should know, e.g. nodes of one shard on one machine. */
      readonly warnings: readonly string[];
    }
  | {
      readonly placed: false;
      /** Which kind of machine lacks room. */
      readonly lacking: 'storage' | 'computer';
      /** The first says how much is missing, the others what each machine lacks. */
      readonly reasons: readonly string[];
    };

interface GroupsRequest<Machine extends CandidateMachine> {
  readonly machines: readonly Machine[];
  readonly groups: number;
  readonly nodesPerGroup: number;
  readonly demand: NodeDemand;
}

type GroupsPlacement<Machine extends CandidateMachine> =
  | { readonly placed: true; readonly groups: readonly (readonly Slot<Machine>[])[] }
  | { readonly placed: false; readonly reasons: readonly string[] };

/**
 * Decides where the nodes of new shards and new compute nodes go.
 *
 * Memory, disk and ports are never exceeded. Nodes of one shard get different machines, and as many racks as
 * possible, where the machines suffice, and share machines with a warning where they do not. Machines with fewer
 * nodes, then with more free memory, come first; primaries are spread over the machines. The result depends only on
 * the values given, not on the order of the machines. Hosts must be unique within each list.
 */
export function place<Machine extends CandidateMachine>(
  request: PlacementRequest<Machine>,
): Placement<Machine> {
  const { storage, compute } = request;
  const shards = placeGroups(storage ?? nothing());
  if (!shards.placed) return { placed: false, lacking: 'storage', reasons: shards.reasons };

  const computers = compute && {
    machines: afterStorage(compute.machines, shards.groups.flat(), storage?.demand.memoryMb ?? 0),
    groups: 1,
    nodesPerGroup: compute.nodes,
    demand: compute.demand,
  };
  const nodes = placeGroups(computers ?? nothing());
  if (!nodes.placed) return { placed: false, lacking: 'computer', reasons: nodes.reasons };

  const groups = primaryFirst(shards.groups);
  const computeNodes = nodes.groups.flat().map((slot) => slot.machine.original);
  return {
    placed: true,
    groups: groups.map((group) => group.map((slot) => slot.machine)),
    computeNodes,
    warnings: [
      ...groups.flatMap((group, index) => sharedMachineWarnings(group, index)),
      ...unknownDiskWarnings([...groups.flat().map((slot) => slot.machine), ...computeNodes]),
    ],
  };
}

function nothing(): GroupsRequest<never> {
  return { machines: [], groups: 0, nodesPerGroup: 0, demand: { memoryMb: 0, diskMb: 0 } };
}

/** Places groups of equal nodes, or says what is missing where. */
function placeGroups<Machine extends CandidateMachine>(
  request: GroupsRequest<Machine>,
): GroupsPlacement<Machine> {
  const { machines, demand } = request;
  const wanted = request.groups * request.nodesPerGroup;
  if (wanted === 0) return { placed: true, groups: [] };
  const rooms = machines
    .toSorted((left, right) => (left.hostaddr < right.hostaddr ? -1 : 1))
    .map((machine) => ({ machine, room: roomOf(machine, demand) }));
  const slots = rooms.map(({ machine, room }) => ({
    machine,
    free: Math.min(room.slots, wanted),
    nodes: machine.nodes,
    freeMemoryMb: machine.totalMemoryMb - machine.reservedMemoryMb,
  }));
  const available = slots.reduce((total, slot) => total + slot.free, 0);
  if (available < wanted) {
    const headline =
      machines.length === 0
        ? `${String(wanted)} nodes wanted, but there is no machine for them`
        : `${String(wanted)} nodes wanted, room for ${String(available)}`;
    return { placed: false, reasons: [headline, ...rooms.map(({ room }) => room.explanation)] };
  }
  const groups = spreadGroups(slots, {
    groups: request.groups,
    size: request.nodesPerGroup,
    memoryMb: demand.memoryMb,
  });
  return { placed: true, groups };
}

/** A computer machine with the storage nodes just placed on the same host counted in. */
interface Computer<Machine extends CandidateMachine> extends CandidateMachine {
  readonly original: Machine;
}

function afterStorage<Machine extends CandidateMachine>(
  machines: readonly Machine[],
  placed: readonly Slot<Machine>[],
  memoryMb: number,
): readonly Computer<Machine>[] {
  return machines.map((original) => {
    const { hostaddr, rackId, state, totalMemoryMb, cpuCores, availableDiskMb } = original;
    const added = placed.filter((slot) => slot.machine.hostaddr === hostaddr).length;
    return {
      hostaddr,
      rackId,
      state,
      totalMemoryMb,
      cpuCores,
      availableDiskMb,
      primaries: original.primaries,
      freePortSlots: original.freePortSlots,
      reservedMemoryMb: original.reservedMemoryMb + added * memoryMb,
      nodes: original.nodes + added,
      original,
    };
  });
}

function primaryFirst<Machine extends CandidateMachine>(
  groups: readonly (readonly Slot<Machine>[])[],
): readonly (readonly Slot<Machine>[])[] {
  const primaries = choosePrimaries(groups, (slot) => slot.machine.primaries);
  return groups.map((group, index) => {
    const first = group.findIndex((slot) => slot === primaries[index]);
    return [
      ...group.slice(first, first + 1),
      ...group.slice(0, Math.max(0, first)),
      ...group.slice(first + 1),
    ];
  });
}

function sharedMachineWarnings<Machine extends CandidateMachine>(
  group: readonly Slot<Machine>[],
  index: number,
): readonly string[] {
  const shared = [...new Set(group)]
    .map((slot) => ({ slot, times: group.filter((other) => other === slot).length }))
    .filter(({ times }) => times > 1);
  return shared.map(
    ({ slot, times }) =>
      `${String(times)} nodes of shard ${String(index + 1)} of this request share machine ${slot.machine.hostaddr}: ` +
      'when it fails they fail together',
  );
}

function unknownDiskWarnings(machines: readonly CandidateMachine[]): readonly string[] {
  const unknown = machines.filter((machine) => machine.availableDiskMb === undefined);
  return [...new Set(unknown.map((machine) => machine.hostaddr))]
    .toSorted()
    .map((hostaddr) => `the disk space of machine ${hostaddr} is unknown and was not checked`);
}
