import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import type { Fenced } from './fence.ts';

/** Who could go on as the primary. */
export interface Fitness {
  readonly fit: readonly StorageNode[];
  /** Nobody is better than one that is not fit. */
  readonly required: boolean;
}

interface Proof {
  readonly successor: Fenced;
  /** Those that cannot follow it: they have transactions of their own. */
  readonly leftOut: readonly Fenced[];
}

/**
 * The one that has the transactions of all others, of `quorum` or more that are fenced. When there is none, because a former
 * primary that waits to be rebuilt has transactions of its own, those that follow nobody are left out: they have acknowledged
 * nothing of the lost primary, so that each of them lowers both the number of replicas and the quorum by one.
 * One that could not go on either is the last choice, or none.
 * @throws KlusterError engine_sql when it cannot be proved
 */
export function proveSuccessor(fenced: readonly Fenced[], quorum: number, fitness: Fitness): Proof {
  const best = superset(fenced, fitness);
  if (best !== undefined) return { successor: best, leftOut: [] };
  const following = fenced.filter(({ follows }) => follows);
  const leftOut = fenced.filter(({ follows }) => !follows);
  const successor = superset(following, fitness);
  if (successor !== undefined && following.length >= quorum - leftOut.length) return { successor, leftOut };
  const sets = fenced.map(({ node, gtids }) => `${colonAddress(node)}: ${gtids.toString()}`);
  throw new KlusterError('engine_sql', `no replica has the transactions of all others: ${sets.join('; ')}`);
}

/** Of equals one that is fit, and of these one that follows somebody. */
function superset(fenced: readonly Fenced[], { fit, required }: Fitness): Fenced | undefined {
  const candidates = fenced.filter(({ gtids }) => fenced.every((other) => gtids.contains(other.gtids)));
  const able = candidates.filter(({ node }) => fit.some(({ id }) => id === node.id));
  const chosen = able.length > 0 || required ? able : candidates;
  return chosen.find(({ follows }) => follows) ?? chosen[0];
}
