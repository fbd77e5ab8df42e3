import { GtidSet } from '../core/gtid-set.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { type StorageNode } from '../core/model.ts';
import { readChannel, stopReceiver } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { executedGtids, receivedGtids } from '../engines/mysql/gtid.ts';
import type { ManagementAccount } from './observe-node.ts';

export interface Fenced {
  readonly node: StorageNode;
  /** Executed and received: what it had acknowledged is among them. */
  readonly gtids: GtidSet;
  /** False when it follows nobody: then it has acknowledged nothing of this primary. */
  readonly follows: boolean;
}

interface Fence {
  readonly replicas: readonly StorageNode[];
  /** So many must be fenced. */
  readonly quorum: number;
  readonly account: ManagementAccount;
}

/** A receiver that is connecting to a hung source ends only after replica_net_timeout (4 s). */
const stopTimeoutMs = 10_000;
/** Once the quorum is fenced the others have this long: they make better successors and can acknowledge at once. */
const stragglersMs = 300;

/**
 * Stops the replicas from receiving, all at the same time. From then on the old primary, should it live, gets too few
 * acknowledgements to commit anything.
 * @throws KlusterError engine_sql when fewer than the quorum could be fenced
 */
export async function fence(
  { replicas, quorum, account }: Fence,
  signal: AbortSignal,
): Promise<readonly Fenced[]> {
  const fenced: Fenced[] = [];
  const failures: string[] = [];
  const all = replicas.map(async (node) => {
    try {
      fenced.push(await fenceReplica(node, account, signal));
    } catch (error) {
      failures.push(errorText(error));
    }
  });
  await enough(all, () => fenced.length >= quorum, signal);
  signal.throwIfAborted();
  if (fenced.length >= quorum) return [...fenced];
  throw new KlusterError(
    'engine_sql',
    `only ${String(fenced.length)} replicas could be fenced, ${String(quorum)} are needed: ${failures.join('; ')}`,
  );
}

/** Waits until all have ended, or a while after there are enough. */
async function enough(
  all: readonly Promise<void>[],
  isEnough: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    let timer: NodeJS.Timeout | undefined;
    signal.addEventListener('abort', end, { once: true });
    for (const one of all) {
      void one.then(() => {
        if (isEnough()) timer ??= setTimeout(end, stragglersMs);
      });
    }
    void Promise.all(all).then(end);
  });
}

function fenceReplica(node: StorageNode, account: ManagementAccount, signal: AbortSignal): Promise<Fenced> {
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...account, statementTimeoutMs: stopTimeoutMs };
  return withMysql(address, signal, async (session) => {
    const follows = (await readChannel(session)) !== null;
    if (follows) await stopReceiver(session);
    const executed = GtidSet.parse(await executedGtids(session));
    return { node, follows, gtids: executed.union(GtidSet.parse(await receivedGtids(session))) };
  });
}
