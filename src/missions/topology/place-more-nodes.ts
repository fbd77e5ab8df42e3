import { KlusterError } from '../../core/errors/kluster-error.ts';
import { place, type NodeDemand } from '../../core/placement.ts';
import { candidateMachines, type Candidate } from './candidates.ts';
import type { Context } from './orders.ts';
import { storagePlaceOn, type StoragePlace } from './places.ts';

/** A shard that is to get more nodes. */
export interface GrowingShard {
  readonly name: string;
  /** Machines that have a node of it already. */
  readonly hosts: readonly string[];
}

export interface MoreNodes {
  readonly shards: readonly GrowingShard[];
  /** Per shard. */
  readonly nodes: number;
  readonly addresses: readonly string[] | undefined;
  readonly demand: NodeDemand;
}

/**
 * Per shard the machines of its new nodes: those that have none of the shard, as far as they suffice. What was given to
 * one shard counts for the next.
 * @throws KlusterError not_enough_storage_machines
 */
export async function placeMoreNodes(
  context: Context,
  { shards, nodes, addresses, demand }: MoreNodes,
): Promise<readonly (readonly StoragePlace[])[]> {
  const found = await candidateMachines(context.services, 'storage', addresses, context.signal);
  for (const machine of found.unreachable) {
    await context.note(`not used, because its agent does not answer: ${machine}`);
  }
  let machines: readonly Candidate[] = found.candidates;
  const placed: StoragePlace[][] = [];
  for (const { name, hosts } of shards) {
    const others = machines.filter(({ hostaddr }) => !hosts.includes(hostaddr));
    const attempt = (candidates: readonly Candidate[]) =>
      place<Candidate>({ storage: { machines: candidates, groups: 1, nodesPerGroup: nodes, demand } });
    const apart = attempt(others);
    const chosen = apart.placed ? apart : attempt(machines);
    if (!chosen.placed) {
      const silent = found.unreachable.map((machine) => `no answer from ${machine}`);
      throw new KlusterError(
        'not_enough_storage_machines',
        `${name}: ${[...chosen.reasons, ...silent].join('; ')}`,
      );
    }
    const group = chosen.groups.flat();
    if (!apart.placed) {
      await context.note(
        `${name} gets nodes on machines that have one of it already (${group.map(({ hostaddr }) => hostaddr).join(', ')}): when such a machine fails they fail together`,
      );
    }
    for (const warning of apart.placed ? chosen.warnings : []) await context.note(warning);
    placed.push(group.map(storagePlaceOn));
    for (const { hostaddr } of group) machines = machines.map((one) => taken(one, hostaddr, demand));
  }
  return placed;
}

function taken(machine: Candidate, hostaddr: string, { memoryMb, diskMb }: NodeDemand): Candidate {
  if (machine.hostaddr !== hostaddr) return machine;
  const { reservedMemoryMb, nodes, freePortSlots, availableDiskMb } = machine;
  return {
    ...machine,
    reservedMemoryMb: reservedMemoryMb + memoryMb,
    nodes: nodes + 1,
    freePortSlots: freePortSlots - 1,
    availableDiskMb: availableDiskMb === undefined ? undefined : availableDiskMb - diskMb,
  };
}
