import type { CandidateMachine } from './room.ts';

/** A machine while nodes are being placed. */
export interface Slot<Machine extends CandidateMachine> {
  readonly machine: Machine;
  /** Nodes it can still take. */
  free: number;
  /** Nodes on it, those just placed included. */
  nodes: number;
  freeMemoryMb: number;
}

/** The nodes of one group as they are placed, with what the next choice asks about them. */
class Group<Machine extends CandidateMachine> {
  readonly members: Slot<Machine>[] = [];
  private readonly perMachine = new Map<Slot<Machine>, number>();
  private readonly perRack = new Map<string, number>();

  onMachine(slot: Slot<Machine>): number {
    return this.perMachine.get(slot) ?? 0;
  }

  onRackOf(slot: Slot<Machine>): number {
    return this.perRack.get(slot.machine.rackId) ?? 0;
  }

  take(slot: Slot<Machine>, memoryMb: number): void {
    slot.free -= 1;
    slot.nodes += 1;
    slot.freeMemoryMb -= memoryMb;
    this.members.push(slot);
    this.perMachine.set(slot, this.onMachine(slot) + 1);
    this.perRack.set(slot.machine.rackId, this.onRackOf(slot) + 1);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** How many of `count` equal parts of `total` get one more than the others: sizes that differ by at most one. */
function evenShares(total: number, count: number): readonly number[] {
  const base = Math.floor(total / count);
  return Array.from({ length: count }, (_, index) => (index < total % count ? base + 1 : base));
}

/** The least loaded first; `hostaddr` makes the order complete, so equal input gives equal output. */
function byLoad<Machine extends CandidateMachine>(left: Slot<Machine>, right: Slot<Machine>): number {
  return (
    left.nodes - right.nodes ||
    right.freeMemoryMb - left.freeMemoryMb ||
    right.machine.cpuCores - left.machine.cpuCores ||
    (left.machine.hostaddr < right.machine.hostaddr ? -1 : 1)
  );
}

type Order<Machine extends CandidateMachine> = (left: Slot<Machine>, right: Slot<Machine>) => number;

/** The first by the first order that tells two apart. */
function best<Machine extends CandidateMachine>(
  candidates: readonly Slot<Machine>[],
  orders: readonly Order<Machine>[],
): Slot<Machine> | undefined {
  const isBefore = (left: Slot<Machine>, right: Slot<Machine>): boolean => {
    for (const order of orders) {
      const difference = order(left, right);
      if (difference !== 0) return difference < 0;
    }
    return false;
  };
  let found = candidates[0];
  for (const candidate of candidates) {
    if (found !== undefined && isBefore(candidate, found)) found = candidate;
  }
  return found;
}

interface Turn {
  /** Nodes of this group that get machines of their own. */
  readonly own: number;
  /** The same of all groups still to come, and how many these are. */
  readonly laterOwn: number;
  readonly laterGroups: number;
  readonly memoryMb: number;
}

/**
 * Gives one group its distinct machines. A machine whose free slots do not exceed the number of later groups is
 * scarce: each slot taken from it is one less that a later group can have to itself. `spare` counts how many such
 * slots may go without forcing a later group to co-locate.
 */
function placeOwn<Machine extends CandidateMachine>(
  slots: readonly Slot<Machine>[],
  group: Group<Machine>,
  turn: Turn,
): void {
  const isScarce = (slot: Slot<Machine>): boolean => slot.free <= turn.laterGroups;
  let spare = sum(slots.map((slot) => Math.min(slot.free, turn.laterGroups))) - turn.laterOwn;
  for (let left = turn.own; left > 0; left -= 1) {
    const tight = spare < left;
    const usable = slots.filter(
      (slot) => slot.free > 0 && group.onMachine(slot) === 0 && (spare > 0 || !isScarce(slot)),
    );
    const chosen = best(usable, [
      (one, other) => group.onRackOf(one) - group.onRackOf(other),
      (one, other) => (tight ? Number(isScarce(one)) - Number(isScarce(other)) : 0),
      byLoad,
    ]);
    if (chosen === undefined) throw new Error('placement lost count of the slots it may take');
    if (isScarce(chosen)) spare -= 1;
    group.take(chosen, turn.memoryMb);
  }
}

/** Nodes for which no machine of their own is left go where the fewest of their group are. */
function placeTogether<Machine extends CandidateMachine>(
  slots: readonly Slot<Machine>[],
  group: Group<Machine>,
  size: number,
  memoryMb: number,
): void {
  while (group.members.length < size) {
    const chosen = best(
      slots.filter((slot) => slot.free > 0),
      [
        (one, other) => group.onMachine(one) - group.onMachine(other),
        (one, other) => group.onRackOf(one) - group.onRackOf(other),
        byLoad,
      ],
    );
    if (chosen === undefined) throw new Error('placement lost count of the free slots');
    group.take(chosen, memoryMb);
  }
}

/**
 * Spreads `groups` groups of `size` equal nodes over the machines, whose free slots must suffice for all of them.
 *
 * Within a group every node gets a machine of its own, and racks are used evenly; the load of the machines decides
 * the rest. A machine can serve at most `min(free, groups)` nodes that do not meet one of their own group, and the
 * machines can give every group its own ones exactly when these numbers add up to the nodes asked for (Gale and
 * Ryser). Each turn keeps that sum large enough for the turns to come, so nodes of one group share a machine only
 * when no arrangement avoids it.
 */
export function spreadGroups<Machine extends CandidateMachine>(
  slots: readonly Slot<Machine>[],
  shape: { readonly groups: number; readonly size: number; readonly memoryMb: number },
): readonly (readonly Slot<Machine>[])[] {
  const { groups: count, size, memoryMb } = shape;
  const distinct = sum(slots.map((slot) => Math.min(slot.free, count)));
  const own = evenShares(Math.min(distinct, count * size), count);
  const groups = own.map(() => new Group<Machine>());
  for (const [index, group] of groups.entries()) {
    placeOwn(slots, group, {
      own: own[index] ?? 0,
      laterOwn: sum(own.slice(index + 1)),
      laterGroups: count - index - 1,
      memoryMb,
    });
  }
  for (const group of groups) placeTogether(slots, group, size, memoryMb);
  return groups.map((group) => group.members);
}
