import { setTimeout as sleep } from 'node:timers/promises';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type HostPort, sameAddress } from '../../core/model.ts';
import { connectedReplicas } from '../../engines/mysql/channel.ts';
import { onNode, type ShardNow } from './shard-now.ts';

/** A source notices that a receiver has ended when it sends the next heartbeat, or a transaction. */
const noticeMs = 10_000;
const pollMs = 200;

/**
 * rbr: sees that a replica that the manager cannot ask does not receive from its primary either, as one may do whom only the
 * manager does not reach: it could acknowledge a write after others were asked for what they have.
 * @throws KlusterError storage_node_unsuited
 */
export async function requireApart(now: ShardNow, node: HostPort, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + noticeMs;
  while (await receives(now, node, signal)) {
    if (performance.now() >= deadline) {
      throw new KlusterError(
        'storage_node_unsuited',
        `${colonAddress(node)} does not answer the manager, but receives from its primary and may acknowledge writes`,
      );
    }
    await sleep(pollMs, undefined, { signal });
  }
}

async function receives(now: ShardNow, node: HostPort, signal: AbortSignal): Promise<boolean> {
  const receivers = await onNode(now, now.primary, signal, connectedReplicas);
  return receivers.some((receiver) => sameAddress(receiver, node));
}
