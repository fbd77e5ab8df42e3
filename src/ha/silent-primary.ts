import { colonAddress } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import { addresses, answered } from './shared-diagnoses.ts';
import type { NodeObservation, ShardObservation } from './shard-observation.ts';

/** Long enough for the agent to have started a server again that merely ended. */
const failOverAfterMs = 8000;

export function silentPrimary(shard: ShardObservation, primary: NodeObservation): Diagnosis {
  const at = colonAddress(primary.node);
  const silence = `the primary ${at} does not answer (${primary.failure ?? 'no reason known'})`;
  const wait = (why: string): Diagnosis => ({
    state: 'primary_unreachable',
    reason: `${silence}; ${why}`,
    action: null,
  });
  if (shard.haMode === 'no_rep') return wait('its agent restarts it');
  if (shard.primarySilentMs < failOverAfterMs) return wait('waiting for its agent to restart it');
  const replicas = shard.nodes.filter(({ node }) => node.id !== primary.node.id);
  const present = answered(replicas);
  // Of n replicas any n-k+1 include one that acknowledged a given commit, when a commit needs k acknowledgements.
  const quorum = replicas.length - shard.fullsyncLevel + 1;
  if (present.length < quorum) {
    return wait(
      `${String(present.length)} of ${String(replicas.length)} replicas answer, ` +
        `${String(quorum)} are needed to prove that a successor has every acknowledged transaction`,
    );
  }
  const receiving = present.filter(({ answer }) => answer.channel?.receiverRunning === true);
  if (receiving.length > 0) return wait(`but ${addresses(receiving)} still receives from it`);
  return {
    state: 'primary_lost',
    reason: `${silence} and no replica receives from it: promoting one of ${addresses(present)}`,
    action: { kind: 'fail_over', node: primary.node, replicas: present.map(({ node }) => node), quorum },
  };
}
