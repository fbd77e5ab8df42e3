import { colonAddress } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import { handOverOrWait } from './hand-over-decision.ts';
import { isCutOff } from './hears.ts';
import { addresses, answered, type Answered } from './shared-diagnoses.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';

/**
 * So long too few replicas must not have heard from a primary that answers the manager; what they have not heard before
 * that comes on top.
 */
export const isolationPatienceMs = 3000;

/**
 * A replica that reaches the primary again connects within a second or two; one that has not after so long is refused, and
 * no network brings it back.
 */
const reconnectMs = 15_000;

/** What bears on it. */
type Isolating = Pick<ShardObservation, 'haMode' | 'nodes' | 'acknowledgements'>;

function cutOffReplicas({ nodes }: Isolating, primary: Answered): readonly Answered[] {
  return answered(nodes).filter(
    ({ node, answer }) => node.id !== primary.node.id && isCutOff(answer, primary.node),
  );
}

/**
 * The manager reaches the primary and replicas of it, and so many of these do not hear from the primary that a commit cannot
 * be acknowledged. A replica that does not answer, or does not even try to receive, may hear: it is no witness.
 */
export function isIsolated(shard: Isolating, primary: Answered): boolean {
  const { haMode, nodes, acknowledgements } = shard;
  if (haMode !== 'rbr' || acknowledgements === 0) return false;
  const cutOff = cutOffReplicas(shard, primary).length;
  return cutOff > 0 && nodes.length - 1 - cutOff < acknowledgements;
}

/** Hands the shard over, or says why not; null when the primary is not isolated. */
export function isolatedPrimary(shard: ShardObservation, observed: NodeObservation): Diagnosis | null {
  const { node, answer } = observed;
  if (answer === null) return null;
  const primary = { node, answer };
  if (!isIsolated(shard, primary)) return null;
  const cutOff = cutOffReplicas(shard, primary);
  const errors = cutOff.flatMap(({ answer }) => answer.channel?.error ?? []);
  const said = errors[0] === undefined ? '' : ` (${errors[0]})`;
  const verb = cutOff.length === 1 ? 'does' : 'do';
  return handOverOrWait(shard, observed, {
    state: 'primary_isolated',
    what:
      `the primary ${colonAddress(primary.node)} answers, but ${addresses(cutOff)} ${verb} not hear from it${said}, ` +
      `so that commits lack their ${String(shard.acknowledgements)} acknowledgements`,
    ms: shard.isolatedMs,
    neededMs: isolationPatienceMs,
    endsWhenReached: shard.isolatedMs < reconnectMs,
  });
}

/** A replica that hears nothing from its source; the others acknowledge. */
export function cutOffReplica(shard: Isolating, primary: Answered): Diagnosis | null {
  const [replica] = cutOffReplicas(shard, primary);
  if (replica === undefined) return null;
  const { channel } = replica.answer;
  const said = channel?.error === undefined || channel.error === null ? '' : ` (${channel.error})`;
  return {
    state: 'replica_cut_off',
    reason: `${colonAddress(replica.node)} hears nothing from the primary ${colonAddress(primary.node)}${said}: it tries again every second`,
    action: null,
  };
}
