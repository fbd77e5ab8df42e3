import Type from 'typebox';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { instanceId } from '../../core/ids.ts';
import { colonAddress, type Machine } from '../../core/model.ts';
import type { Step } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { removeInstance } from './instances.ts';

/** An instance that a job is to remove, in the job's decision. */
export const instancePlace = Type.Object({
  instanceId: Type.String(),
  hostaddr: Type.String(),
  agentPort: Type.Integer(),
  port: Type.Integer(),
});

export type InstancePlace = Type.Static<typeof instancePlace>;

const removalDeadlineMs = 120_000;

/** @throws KlusterError metadata when the node's machine is unknown */
export function instancePlaceOf(
  node: Omit<InstancePlace, 'agentPort'> & { readonly machineId: number },
  machines: readonly Machine[],
): InstancePlace {
  const machine = machines.find((candidate) => candidate.id === node.machineId);
  if (machine === undefined) {
    throw new KlusterError(
      'metadata',
      `${node.instanceId} lives on machine ${String(node.machineId)}, which is unknown`,
    );
  }
  const { instanceId: id, hostaddr, port } = node;
  return { instanceId: id, hostaddr, agentPort: machine.agentPort, port };
}

/**
 * Removes process, directories and ports. A machine that does not answer does not hold the job up: a note names the
 * instance, which is removed when the machine returns. `what` was deleted, e.g. `cluster x`.
 */
export function removalStep(place: InstancePlace, what: string): Step<Services> {
  return {
    kind: 'step',
    key: place.instanceId,
    title: `remove ${place.instanceId} at ${colonAddress(place)}`,
    deadlineMs: removalDeadlineMs,
    weight: 4,
    async run(context) {
      const outcome = await removeInstance(
        context.services,
        {
          instanceId: instanceId(place.instanceId),
          hostaddr: place.hostaddr,
          agentPort: place.agentPort,
          reason: `${what} was deleted by job ${String(context.jobId)}`,
        },
        context.signal,
      );
      if (outcome === 'pending') {
        await context.note(
          `machine ${place.hostaddr} does not answer: ${place.instanceId} will be removed when it returns`,
        );
      }
      return { outcome };
    },
  };
}
