import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { HaMode, StorageNode } from '../../core/model.ts';
import { observeNode, type NodeLook } from '../../ha/observe-node.ts';
import { readShardContext } from '../../ha/shard-context.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { until } from '../topology/until.ts';

const waitMs = 60_000;

/**
 * Waits until the health loop has put a started storage node back into its role. The node runs whatever comes of that, so
 * the job is not undone for it: it tells.
 */
export async function serveAgain(
  context: StepContext<Services>,
  { id, shardId }: StorageNode,
): Promise<void> {
  try {
    await untilServing(context, { id, shardId });
  } catch (error) {
    if (!(error instanceof KlusterError) || error.kind !== 'step_deadline') throw error;
    await context.note(`it runs, but is left to the health loop: ${error.message}`);
  }
}

/** @throws KlusterError step_deadline */
export async function untilServing(
  { services, signal }: StepContext<Services>,
  { id, shardId }: Pick<StorageNode, 'id' | 'shardId'>,
): Promise<void> {
  await until(signal, waitMs, 'the node to do its part', async () => {
    const { cluster, account, nodes, shard } = await readShardContext(services.catalog, shardId, signal);
    const node = nodes.find((candidate) => candidate.id === id);
    if (node === undefined) return `it is no longer a node of ${shard.name}`;
    return missing(await observeNode(node, cluster.haMode, account, signal), cluster.haMode) ?? true;
  });
}

/** What a node lacks to do its part, in words; null when nothing. */
function missing({ node, answer, failure }: NodeLook, haMode: HaMode): string | null {
  if (answer === null) return `it does not answer (${failure ?? 'no reason known'})`;
  if (haMode === 'mgr') {
    return answer.groupState === 'ONLINE' ? null : `it is ${answer.groupState} in its group`;
  }
  if (node.memberState === 'source') return answer.superReadOnly ? 'it is closed for writes' : null;
  const { channel } = answer;
  if (channel?.receiverRunning === true && channel.applierRunning) return null;
  return channel?.error ?? 'it does not replicate';
}
