import { colonAddress } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import { freshWordMs, hasRoom } from './disk-word.ts';
import { hears } from './hears.ts';
import { addresses, answered, busyPrimary } from './shared-diagnoses.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';

/** What the agent of the primary's machine knows of its process. */
type ProcessWord =
  /** The process has ended, or is a new one that does not serve yet. Whatever comes up comes up read-only. */
  | 'ended'
  /** It runs and does not answer its agent either. */
  | 'hangs'
  /** It answers its agent. */
  | 'serves'
  /** The agent is not heard itself. */
  | 'unheard';

interface Silence {
  /** Looks in a row. */
  readonly misses: number;
  readonly ms: number;
}

/** How long the manager itself must have had no answer, by what the agent says. */
const neededSilence: Readonly<Record<ProcessWord, Silence>> = {
  ended: { misses: 1, ms: 0 },
  hangs: { misses: 1, ms: 0 },
  unheard: { misses: 2, ms: 1000 },
  serves: { misses: 3, ms: 8000 },
};

const words: Readonly<Record<ProcessWord, string>> = {
  ended: 'its agent has seen its process end',
  hangs: 'it does not answer its agent either',
  serves: 'its agent says that it serves',
  unheard: 'its agent is not heard either',
};

function processWord({ agent }: NodeObservation): ProcessWord {
  if (agent === null || agent.silentMs > freshWordMs || agent.instance === null) return 'unheard';
  const { pid, state, health } = agent.instance;
  if (pid === null || state === 'starting') return 'ended';
  return health?.answers === false ? 'hangs' : 'serves';
}

/** The primary does not answer the manager: does it live, is it coming back, or is it to be replaced? */
export function silentPrimary(shard: ShardObservation, primary: NodeObservation): Diagnosis {
  const at = colonAddress(primary.node);
  if (primary.busy) return busyPrimary(primary);
  const word = processWord(primary);
  const silence = `the primary ${at} does not answer (${primary.failure ?? 'no reason known'}), ${words[word]}`;
  const wait = (why: string): Diagnosis => ({
    state: 'primary_unreachable',
    reason: `${silence}; ${why}`,
    action: null,
  });
  if (shard.haMode === 'no_rep') return wait('its agent restarts it');
  const replicas = shard.nodes.filter(({ node }) => node.id !== primary.node.id);
  const present = answered(replicas);
  // Of n replicas any n-k+1 include one that acknowledged a given commit, when a commit needs k acknowledgements.
  const counted = replicas.length + shard.stopped.length;
  const quorum = Math.max(1, counted - shard.acknowledgements + 1);
  if (shard.acknowledgements === 0) {
    return wait(
      'the shard is degraded: commits waited for nobody, so only the primary is known to have them all',
    );
  }
  if (present.length < quorum) {
    return wait(
      `${String(present.length)} of ${String(counted)} replicas answer, ` +
        `${String(quorum)} are needed to prove that a successor has every acknowledged transaction`,
    );
  }
  const hearing = present.filter((replica) => hears(replica.answer, primary.node));
  if (hearing.length > 0) return wait(`but ${addresses(hearing)} hears from it`);
  if (shard.noSwitchUntil !== null) {
    return wait(`automatic failover is suspended until ${shard.noSwitchUntil.toISOString()} (set_noswitch)`);
  }
  const hesitation = notYet(shard, primary, word);
  if (hesitation !== null) return wait(hesitation);
  return {
    state: 'primary_lost',
    reason: `${silence} and no replica hears from it: promoting one of ${addresses(present)}`,
    action: {
      kind: 'fail_over',
      node: primary.node,
      replicas: present.map(({ node }) => node),
      quorum,
      candidates: replicas
        .filter((replica) => replica.answer !== null && hasRoom(replica))
        .map(({ node }) => node),
    },
  };
}

/** Why the primary is not given up yet; null when it is. */
function notYet(shard: ShardObservation, primary: NodeObservation, word: ProcessWord): string | null {
  const { fastPerHour, cautiousMs } = shard.failoverPolicy;
  const { misses, ms } = neededSilence[word];
  const restless = shard.recentFailovers >= fastPerHour;
  const needed = restless ? Math.max(ms, cautiousMs) : ms;
  if (primary.misses >= misses && primary.silentMs >= needed) return null;
  const passed = `it has been silent for ${String(Math.round(primary.silentMs))} of ${String(needed)} ms`;
  if (!restless) return passed;
  return (
    `${passed}, which is longer than usual because the shard has failed over ` +
    `${String(shard.recentFailovers)} times within an hour`
  );
}
