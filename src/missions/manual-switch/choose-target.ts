import { shardId } from '../../core/ids.ts';
import type { StorageNode } from '../../core/model.ts';
import { chooseSuccessor } from '../../ha/choose-successor.ts';
import { observeNode } from '../../ha/observe-node.ts';
import { readShardContext } from '../../ha/shard-context.ts';
import type { Services } from '../../jobs/services.ts';
import type { ManualSwitchPrepared } from './parameters.ts';
import type { SwitchRequest } from './request.ts';

/** Asks the nodes of the shard which of them could be the next primary. @throws KlusterError switchover_refused */
export async function chooseTarget(
  services: Services,
  { shard, cluster, master, assigned }: SwitchRequest,
  signal: AbortSignal,
): Promise<ManualSwitchPrepared> {
  const context = await readShardContext(services.catalog, shard.id, signal);
  const serving = context.nodes.filter(({ status }) => status === 'active' || status === 'inactive');
  const observe = (node: StorageNode) => observeNode(node, cluster.haMode, context.account, signal);
  const [primary, ...others] = await Promise.all([
    observe(master),
    ...serving.filter(({ id }) => id !== master.id).map(observe),
  ]);
  const target = chooseSuccessor(
    {
      haMode: cluster.haMode,
      fullsyncLevel: shard.fullsyncLevel,
      primary,
      others,
      isOnline: ({ hostaddr }) => services.liveness.isOnline(hostaddr),
    },
    assigned,
  );
  const place = ({ id, hostaddr, port }: StorageNode) => ({ id, hostaddr, port });
  return { shardId: shardId(shard.id), shardName: shard.name, old: place(master), target: place(target) };
}
