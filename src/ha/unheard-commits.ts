import { GtidSet } from '../core/gtid-set.ts';
import { colonAddress } from '../core/model.ts';
import { acknowledgingReplicas, isStarved } from './degrade.ts';
import type { Diagnosis } from './diagnosis.ts';
import { addresses, type Answered } from './shared-diagnoses.ts';
import type { ShardObservation } from './shard-observation.ts';

/**
 * rbr: a commit waits that enough replicas have received. One whose connection broke in between, or began before it
 * acknowledged anything, does not acknowledge what it has already; the acknowledgement of something later counts for it. Where
 * nobody else commits nothing later comes.
 */
export function unheardCommits(shard: ShardObservation, primary: Answered): Diagnosis | null {
  const { superReadOnly, commitsWaiting, acknowledgements, gtids } = primary.answer;
  if (shard.haMode !== 'rbr' || superReadOnly || commitsWaiting === 0) return null;
  const { agent } = shard.nodes.find(({ node }) => node.id === primary.node.id) ?? { agent: null };
  // Commits wait for a moment whenever there are any; the agent tells when none has ended for seconds.
  if (agent?.instance?.standing?.stalled !== true || isStarved(shard, primary)) return null;
  const executed = GtidSet.parse(gtids);
  const holders = acknowledgingReplicas(shard, primary).filter(
    ({ answer }) => answer !== null && !executed.contains(GtidSet.parse(answer.gtids)),
  );
  if (acknowledgements === 0 || holders.length < acknowledgements) return null;
  const verb = holders.length === 1 ? 'has' : 'have';
  return {
    state: 'primary_unheard',
    reason:
      `commits on ${colonAddress(primary.node)} wait for what ${addresses(holders)} ${verb} received and will not ` +
      'acknowledge any more: committing a transaction without effect, whose acknowledgement counts for them',
    action: { kind: 'commit_nothing', node: primary.node },
  };
}
