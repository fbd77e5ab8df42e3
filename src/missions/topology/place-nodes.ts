import { KlusterError } from '../../core/errors/kluster-error.ts';
import { place, type NodeDemand } from '../../core/placement.ts';
import { candidateMachines, type Candidate } from './candidates.ts';
import type { Context } from './orders.ts';
import { computePlaceOn, storagePlaceOn, type ComputePlace, type StoragePlace } from './places.ts';

export interface NodesToPlace {
  readonly storage?: {
    readonly addresses: readonly string[] | undefined;
    readonly shards: number;
    readonly nodesPerShard: number;
    readonly demand: NodeDemand;
  };
  readonly compute?: {
    readonly addresses: readonly string[] | undefined;
    readonly nodes: number;
    readonly demand: NodeDemand;
  };
  /** The wire code when machines are lacking; absent: the catalogue's. */
  readonly lackingCode?: number;
}

interface PlacedNodes {
  /** Per shard; the first of each becomes the primary. */
  readonly shards: readonly (readonly StoragePlace[])[];
  readonly comps: readonly ComputePlace[];
}

const nobody = { candidates: [], unreachable: [] };

/**
 * Decides which node goes to which machine; what the operator should know of it becomes notes of the job.
 * @throws KlusterError not_enough_storage_machines, not_enough_computer_machines
 */
export async function placeNodes(context: Context, order: NodesToPlace): Promise<PlacedNodes> {
  const { services, signal } = context;
  const { storage, compute } = order;
  const machines = {
    storage: storage ? await candidateMachines(services, 'storage', storage.addresses, signal) : nobody,
    computer: compute ? await candidateMachines(services, 'computer', compute.addresses, signal) : nobody,
  };
  const placement = place<Candidate>({
    ...(storage && {
      storage: {
        machines: machines.storage.candidates,
        groups: storage.shards,
        nodesPerGroup: storage.nodesPerShard,
        demand: storage.demand,
      },
    }),
    ...(compute && {
      compute: { machines: machines.computer.candidates, nodes: compute.nodes, demand: compute.demand },
    }),
  });
  if (!placement.placed) {
    const silent = machines[placement.lacking].unreachable.map((machine) => `no answer from ${machine}`);
    throw new KlusterError(
      placement.lacking === 'storage' ? 'not_enough_storage_machines' : 'not_enough_computer_machines',
      [...placement.reasons, ...silent].join('; '),
      order.lackingCode === undefined ? {} : { code: order.lackingCode },
    );
  }
  for (const warning of placement.warnings) await context.note(warning);
  for (const machine of [...machines.storage.unreachable, ...machines.computer.unreachable]) {
    await context.note(`not used, because its agent does not answer: ${machine}`);
  }
  return {
    shards: placement.groups.map((group) => group.map(storagePlaceOn)),
    comps: placement.computeNodes.map(computePlaceOn),
  };
}
