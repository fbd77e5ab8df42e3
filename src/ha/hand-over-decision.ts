import { colonAddress } from '../core/model.ts';
import { hasRoom } from './disk-word.ts';
import type { Diagnosis, ShardState } from './diagnosis.ts';
import { addresses } from './shared-diagnoses.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';

/** Why commits on a primary that lives cannot go on. */
export interface Trouble {
  readonly state: ShardState;
  /** The beginning of the sentence that people read. */
  readonly what: string;
  /** Milliseconds for which it has been so. */
  readonly ms: number;
  /** For so long the manager waits for it to pass. */
  readonly neededMs: number;
  /** It is over as soon as replicas reach the primary. */
  readonly endsWhenReached?: boolean;
}

/**
 * Whether the shard is handed over to a replica because its primary, which lives, cannot commit. The proof is that of a
 * failover: of n replicas n-k+1 must answer. And it must help: k replicas must be left that can acknowledge.
 */
export function handOverOrWait(
  shard: ShardObservation,
  primary: NodeObservation,
  trouble: Trouble,
): Diagnosis {
  const { state, what } = trouble;
  const wait = hindrance(shard, primary, trouble);
  if (wait !== null) return { state, reason: `${what}; ${wait}`, action: null };
  const replicas = replicasOf(shard, primary);
  const candidates = replicas.filter(isAble);
  return {
    state,
    reason: `${what}: closing ${colonAddress(primary.node)} and promoting one of ${addresses(candidates)}`,
    action: {
      kind: 'hand_over',
      node: primary.node,
      replicas: replicas.map(({ node }) => node),
      quorum: quorumOf(shard),
      candidates: candidates.map(({ node }) => node),
      acknowledgers: shard.acknowledgements,
      unlessReached: trouble.endsWhenReached ?? false,
    },
  };
}

/** Those that answer. */
function replicasOf(shard: ShardObservation, primary: NodeObservation): readonly NodeObservation[] {
  return shard.nodes.filter(({ node, answer }) => node.id !== primary.node.id && answer !== null);
}

const countedReplicas = ({ nodes, stopped }: ShardObservation): number => nodes.length - 1 + stopped.length;
const quorumOf = (shard: ShardObservation): number => countedReplicas(shard) - shard.acknowledgements + 1;

/** Why the primary keeps its role, or keeps it for now; null when it is handed over. */
function hindrance(shard: ShardObservation, primary: NodeObservation, trouble: Trouble): string | null {
  const { acknowledgements: needed } = shard;
  const replicas = replicasOf(shard, primary);
  if (needed === 0) return 'the shard is degraded: only this node is known to have every transaction';
  const quorum = quorumOf(shard);
  if (replicas.length < quorum) {
    return (
      `${String(replicas.length)} of ${String(countedReplicas(shard))} replicas answer, ` +
      `${String(quorum)} are needed to prove that a successor has every acknowledged transaction`
    );
  }
  const able = replicas.filter(isAble);
  if (able.length <= needed) {
    return (
      `${able.length === 0 ? 'no replica' : `only ${addresses(able)}`} could go on, ` +
      `and a successor needs ${String(needed)} more to acknowledge its commits`
    );
  }
  return whyNotYet(shard, trouble);
}

/** Why a primary that lives keeps its role although another could take it; null when it is time. */
export function whyNotYet(
  { failoverPolicy, recentFailovers, noSwitchUntil }: ShardObservation,
  { ms, neededMs }: Pick<Trouble, 'ms' | 'neededMs'>,
): string | null {
  if (noSwitchUntil !== null)
    return `automatic failover is suspended until ${noSwitchUntil.toISOString()} (set_noswitch)`;
  const restless = recentFailovers >= failoverPolicy.fastPerHour;
  const patience = restless ? Math.max(neededMs, failoverPolicy.cautiousMs) : neededMs;
  if (ms >= patience) return null;
  const often = restless
    ? `, because it has failed over ${String(recentFailovers)} times within an hour`
    : '';
  return `for ${String(Math.round(ms))} of ${String(patience)} ms, after which the shard is handed over${often}`;
}

/** It can apply what it has and follow a successor, or be it. */
function isAble(replica: NodeObservation): boolean {
  return replica.answer?.channel?.applierRunning === true && hasRoom(replica);
}
