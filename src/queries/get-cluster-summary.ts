import Type from 'typebox';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { clusterTrees } from './cluster-tree.ts';

/** Values are text, and `storage_offine` and `computer_offine` are spelt like this, because clients read them so. */
export const getClusterSummary = defineImmediateJob<Services>()({
  jobType: 'get_cluster_summary',
  aliases: [],
  summary: 'List the clusters with the numbers of their parts, and of the nodes that do not serve',
  paras: Type.Object({}),
  example: {},
  changes: false,
  async answer({ catalog }, _paras, signal) {
    const trees = await clusterTrees(catalog, signal);
    return {
      list_cluster: trees.map(({ cluster, shards, comps }) => {
        const nodes = shards.flatMap((shard) => shard.nodes);
        return {
          cluster_id: String(cluster.id),
          cluster_name: cluster.name,
          name: cluster.name,
          nick_name: cluster.nickName,
          ha_mode: cluster.haMode,
          shards: String(shards.length),
          comps: String(comps.length),
          storage_offine: String(nodes.filter(({ status }) => status !== 'active').length),
          computer_offine: String(comps.filter(({ status }) => status !== 'active').length),
        };
      }),
    };
  },
});
