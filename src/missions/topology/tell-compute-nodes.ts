import Type from 'typebox';
import { errorText, KlusterError } from '../../core/errors/kluster-error.ts';
import { computeNodeId, type ComputeNodeId } from '../../core/ids.ts';
import type { ComputeNode } from '../../core/model.ts';
import { pushTopology } from '../../ha/push-topology.ts';
import { parallel, type Group, type Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import type { Context } from './orders.ts';

/** A compute node in the decision of a job that changes the topology of its cluster. */
export const namedComp = Type.Object({ id: Type.Integer(), name: Type.String() });
export type NamedComp = Type.Static<typeof namedComp>;

const tellDeadlineMs = 60_000;

/** The compute nodes that serve, or will when they answer again. */
export function tellableComps(comps: readonly ComputeNode[]): NamedComp[] {
  return comps
    .filter(({ status }) => status === 'active' || status === 'inactive')
    .map(({ id, name }) => ({ id, name }));
}

/**
 * After the change is in the catalog: every compute node that answers has it when this ends; the others are named in a
 * note, and told as soon as they answer (`ComputeWatch`). It never fails because of a compute node.
 */
export function tellComputeNodes(comps: readonly NamedComp[]): Group<Services> {
  return parallel(
    'tell',
    'tell the compute nodes',
    comps.map(({ id, name }) => tellComputeNode(name, name, () => computeNodeId(id))),
  );
}

/** With `proveCompute` for `tell`, it also becomes active when it serves. */
export function tellComputeNode(
  key: string,
  name: string,
  idOf: (context: Context) => ComputeNodeId,
  tell: typeof pushTopology = pushTopology,
): Step<Services> {
  return {
    kind: 'step',
    key,
    title: `tell ${name} of the change`,
    deadlineMs: tellDeadlineMs,
    async run(context) {
      const { catalog } = context.services;
      try {
        await tell(catalog, idOf(context), context.signal);
        return { told: true };
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof KlusterError) || error.kind !== 'engine_sql') throw error;
        await context.note(`${name} will be told of the change when it answers: ${errorText(error)}`);
        return { told: false };
      }
    },
  };
}
