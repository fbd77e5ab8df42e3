import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { withMysqlEach } from '../engines/mysql/connection.ts';
import { executedGtids, waitForGtids } from '../engines/mysql/gtid.ts';
import { sessionOf } from './opened-session.ts';
import type { ManagementAccount } from './observe-node.ts';

/** What a target may still lack when writes are stopped: what it executes in this time. */
const closeEnoughMs = 100;
const roundSeconds = 30;
const mostRounds = 50;

/** Waits until the target executes what the primary commits nearly as it comes; the rest is waited for with writes stopped. */
export async function catchUp(
  account: ManagementAccount,
  { old, target }: { readonly old: StorageNode; readonly target: StorageNode },
  signal: AbortSignal,
): Promise<void> {
  const addresses = [old, target].map(({ hostaddr, port }) => ({ hostaddr, port, ...account }));
  await withMysqlEach(addresses, signal, async ([primary, replica]) => {
    const [source, follower] = [sessionOf(primary), sessionOf(replica)];
    for (let round = 1; round <= mostRounds; round += 1) {
      const gtids = await executedGtids(source);
      const began = performance.now();
      const arrived = await waitForGtids(follower, gtids, roundSeconds);
      if (!arrived) break;
      if (performance.now() - began <= closeEnoughMs) return;
    }
    throw new KlusterError(
      'switchover_refused',
      `${colonAddress(target)} is too far behind ${colonAddress(old)}, and does not come closer`,
      { code: 70_020 },
    );
  });
}
