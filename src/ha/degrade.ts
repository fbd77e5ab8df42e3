import { colonAddress, sameAddress } from '../core/model.ts';
import { diskTrouble } from './disk-word.ts';
import type { Diagnosis } from './diagnosis.ts';
import { addresses, type Answered } from './shared-diagnoses.ts';
import { type NodeObservation, type ShardObservation } from './shard-observation.ts';

/** What bears on the acknowledgements of an rbr shard. */
type Acknowledging = Pick<
  ShardObservation,
  'haMode' | 'nodes' | 'fullsyncLevel' | 'acknowledgements' | 'degrade' | 'starvedMs'
>;

/** Replicas that answer the manager, can write, and acknowledge what they receive from this primary. */
export function acknowledgingReplicas(
  { nodes }: Pick<Acknowledging, 'nodes'>,
  primary: Answered,
): readonly NodeObservation[] {
  return nodes.filter((observed) => {
    const { node, answer } = observed;
    return (
      node.id !== primary.node.id &&
      diskTrouble(observed) === null &&
      answer !== null &&
      answer.acknowledges &&
      answer.channel !== null &&
      answer.channel.receiverRunning &&
      sameAddress(answer.channel.source, primary.node)
    );
  });
}

/**
 * What commits have to wait for from now on. A degraded shard that may not degrade any more does not go on as it is, though
 * what was committed before is no more certain for that.
 */
export function demanded({
  fullsyncLevel,
  acknowledgements: certain,
  degrade,
}: Pick<ShardObservation, 'fullsyncLevel' | 'acknowledgements' | 'degrade'>): number {
  return degrade.enabled ? certain : fullsyncLevel;
}

/** What commits wait for; on a primary that is closed, what they will wait for. */
function needed(shard: Acknowledging, { answer }: Answered): number {
  return answer.superReadOnly ? demanded(shard) : answer.acknowledgements;
}

/**
 * Whether commits get too few acknowledgements, or would, were the primary not closed for that reason. The primary counts who
 * is connected; one that hangs is, so when commits wait, only replicas count that answer. Those that the manager alone cannot
 * reach do not make commits wait.
 */
export function isStarved(shard: Acknowledging, primary: Answered): boolean {
  if (shard.haMode !== 'rbr') return false;
  const { acknowledgers, commitsWaiting } = primary.answer;
  const wanted = needed(shard, primary);
  if (acknowledgers < wanted) return true;
  return commitsWaiting > 0 && acknowledgingReplicas(shard, primary).length < wanted;
}

/** Lowering or raising what commits wait for, when it is time; null when it is not. */
export function dueChange(shard: Acknowledging, primary: Answered): Diagnosis | null {
  if (shard.haMode !== 'rbr') return null;
  const { fullsyncLevel, acknowledgements: certain, degrade, starvedMs } = shard;
  const replicas = acknowledgingReplicas(shard, primary);
  const usable = Math.min(replicas.length, primary.answer.acknowledgers);
  const at = colonAddress(primary.node);
  if (isStarved(shard, primary)) {
    const to = Math.min(usable, needed(shard, primary) - 1);
    if (!degrade.enabled || starvedMs < degrade.afterSeconds * 1000) return null;
    return {
      state: 'primary_starved',
      reason:
        `for ${String(Math.round(starvedMs / 1000))} s ${said(replicas)} of ${String(fullsyncLevel)} replicas that commits ` +
        `on ${at} need: from now on they wait for ${String(to)}, because conf_degrade_state is ON`,
      action: { kind: 'set_acknowledgements', node: primary.node, from: certain, to },
    };
  }
  const to = Math.min(fullsyncLevel, usable);
  if (to <= certain) return null;
  return {
    state: 'primary_degraded',
    reason: `${addresses(replicas)} acknowledge: commits on ${at} wait for ${String(to)} instead of ${String(certain)}`,
    action: { kind: 'set_acknowledgements', node: primary.node, from: certain, to },
  };
}

/** Too few acknowledgements, or fewer than asked for, while there is nothing to be done about it now. */
export function pendingStarvation(shard: Acknowledging, primary: Answered): Diagnosis | null {
  if (shard.haMode !== 'rbr') return null;
  const at = colonAddress(primary.node);
  const { fullsyncLevel, acknowledgements: certain } = shard;
  if (isStarved(shard, primary)) {
    return {
      state: 'primary_starved',
      reason: `commits on ${at} wait: ${said(acknowledgingReplicas(shard, primary))} of ${String(needed(shard, primary))} needed; ${thenWhat(shard)}`,
      action: null,
    };
  }
  if (certain >= fullsyncLevel) return null;
  return {
    state: 'primary_degraded',
    reason: `commits on ${at} wait for ${String(certain)} instead of ${String(fullsyncLevel)} acknowledgements until replicas are back`,
    action: null,
  };
}

function thenWhat({ degrade, starvedMs }: Acknowledging): string {
  if (!degrade.enabled) return 'they wait until replicas are back, because conf_degrade_state is OFF';
  const passed = String(Math.round(starvedMs / 1000));
  return `after ${String(degrade.afterSeconds)} s, of which ${passed} have passed, they will wait for fewer`;
}

/**
 * A primary that is closed and that too few replicas receive from stays so: its commits could not end, and whatever copies
 * it, which may be the only way to another replica, would wait for them. Nobody else may do what mends the replicas.
 */
export function heldPrimary(
  shard: Acknowledging,
  primary: Answered,
  fault: Diagnosis | null,
): Diagnosis | null {
  if (!primary.answer.superReadOnly || !isStarved(shard, primary)) return null;
  const wanted = String(needed(shard, primary));
  const found = said(acknowledgingReplicas(shard, primary));
  const held = `the primary ${colonAddress(primary.node)} stays closed, for its commits could not end: ${found} of ${wanted} needed`;
  if (fault === null || fault.action === null)
    return { state: 'primary_held', reason: `${held}; ${thenWhat(shard)}`, action: null };
  return { ...fault, state: 'primary_held', reason: `${held}; ${fault.reason}` };
}

function said(replicas: readonly NodeObservation[]): string {
  if (replicas.length === 0) return 'no replica acknowledges';
  return `only ${addresses(replicas)} ${replicas.length === 1 ? 'acknowledges' : 'acknowledge'}`;
}
