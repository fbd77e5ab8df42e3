import { colonAddress } from '../core/model.ts';
import { diskTrouble } from './disk-word.ts';
import type { Diagnosis } from './diagnosis.ts';
import { addresses, type Answered } from './shared-diagnoses.ts';
import { sameAddress, type NodeObservation, type ShardObservation } from './shard-observation.ts';

/** What bears on the acknowledgements of an rbr shard. */
type Acknowledging = Pick<
  ShardObservation,
  'haMode' | 'nodes' | 'fullsyncLevel' | 'acknowledgements' | 'degrade' | 'starvedMs'
>;

/** Replicas that answer the manager, can write, and acknowledge what they receive from this primary. */
function acknowledgingReplicas({ nodes }: Acknowledging, primary: Answered): readonly NodeObservation[] {
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
 * Whether commits get too few acknowledgements. The primary counts who is connected; one that hangs is, so when commits
 * wait, only replicas count that answer. Those that the manager alone cannot reach do not make commits wait.
 */
export function isStarved(shard: Acknowledging, primary: Answered): boolean {
  const { acknowledgements: needed, acknowledgers, commitsWaiting, superReadOnly } = primary.answer;
  if (shard.haMode !== 'rbr' || superReadOnly) return false;
  if (acknowledgers < needed) return true;
  return commitsWaiting > 0 && acknowledgingReplicas(shard, primary).length < needed;
}

/** Lowering or raising what commits wait for, when it is time; null when it is not. */
export function dueChange(shard: Acknowledging, primary: Answered): Diagnosis | null {
  if (shard.haMode !== 'rbr') return null;
  const { fullsyncLevel, acknowledgements: certain, degrade, starvedMs } = shard;
  const replicas = acknowledgingReplicas(shard, primary);
  const usable = Math.min(replicas.length, primary.answer.acknowledgers);
  const at = colonAddress(primary.node);
  if (isStarved(shard, primary)) {
    const to = Math.min(usable, primary.answer.acknowledgements - 1);
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
  const { degrade, starvedMs, fullsyncLevel, acknowledgements: certain } = shard;
  if (isStarved(shard, primary)) {
    const then = degrade.enabled
      ? `after ${String(degrade.afterSeconds)} s, of which ${String(Math.round(starvedMs / 1000))} have passed, they will wait for fewer`
      : 'they wait until replicas are back, because conf_degrade_state is OFF';
    return {
      state: 'primary_starved',
      reason: `commits on ${at} wait: ${said(acknowledgingReplicas(shard, primary))} of ${String(primary.answer.acknowledgements)} needed; ${then}`,
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

function said(replicas: readonly NodeObservation[]): string {
  if (replicas.length === 0) return 'no replica acknowledges';
  return `only ${addresses(replicas)} ${replicas.length === 1 ? 'acknowledges' : 'acknowledge'}`;
}
