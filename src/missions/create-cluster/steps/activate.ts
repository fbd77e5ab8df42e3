import type { ClusterMemo } from '../../../catalog/cluster-memo.ts';
import { computeNodeId, storageNodeId } from '../../../core/ids.ts';
import type { Step } from '../../../jobs/plan.ts';
import type { Services } from '../../../jobs/services.ts';
import { computeInstance, registeredId, storageInstance, type ClusterOrder } from '../context.ts';
import { recordedCluster, stepPaths } from '../prepared.ts';

/** The last step: what was being created becomes active, the ports used, the cluster complete for consoles. */
export function activate(order: ClusterOrder): Step<Services> {
  const { prepared } = order;
  return {
    kind: 'step',
    key: 'activate',
    title: `activate ${prepared.clusterName}`,
    deadlineMs: 60_000,
    async run(context) {
      const { catalog } = context.services;
      const cluster = registeredId(context);
      const instances = [
        ...prepared.shards.flatMap((shard, shardIndex) =>
          shard.nodes.map((_, node) => storageInstance(cluster, shardIndex + 1, node + 1)),
        ),
        ...prepared.comps.map((_, index) => computeInstance(cluster, index + 1)),
      ];
      const { storageNodeIds, computeNodeIds } = context.outputOf(stepPaths.record, recordedCluster);
      await catalog.database.write(async (sql) => {
        for (const instance of instances) await catalog.ports.markUsed(sql, instance);
        for (const id of storageNodeIds.flat()) {
          await catalog.storageNodes.setStatus(sql, storageNodeId(id), 'active');
        }
        for (const id of computeNodeIds)
          await catalog.computeNodes.setStatus(sql, computeNodeId(id), 'active');
        await catalog.topologyLog.record(sql, cluster);
        await catalog.clusters.setMemo(sql, cluster, clusterMemo(order));
      }, context.signal);
      return null;
    },
  };
}

function clusterMemo({ paras, fullsyncLevel, computerUser }: ClusterOrder): ClusterMemo {
  const text = (value: number | undefined): string => (value === undefined ? '' : String(value));
  return {
    ha_mode: paras.ha_mode,
    shards: String(paras.shards),
    nodes: String(paras.nodes),
    comps: String(paras.comps),
    max_storage_size: text(paras.max_storage_size),
    max_connections: text(paras.max_connections),
    cpu_cores: text(paras.cpu_cores),
    cpu_limit_mode: paras.cpu_limit_mode ?? paras.cpu_limit_node ?? 'quota',
    computer_user: computerUser,
    innodb_size: text(paras.innodb_size),
    dbcfg: paras.dbcfg === true ? '1' : '0',
    fullsync_level: String(fullsyncLevel),
    install_proxysql: '0',
    data_storage_MB: text(paras.data_storage_MB),
    log_storage_MB: text(paras.log_storage_MB),
  };
}
