import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { NodeStatus } from '../core/model.ts';
import { text } from '../core/parameters/fields.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { clusterTrees, type ClusterTree } from './cluster-tree.ts';

const onlineWord = (status: NodeStatus): string => (status === 'active' ? 'online' : 'offline');

function detail({ cluster, shards, comps }: ClusterTree) {
  return {
    cluster_id: String(cluster.id),
    cluster_name: cluster.name,
    nick_name: cluster.nickName,
    ha_mode: cluster.haMode,
    shards: String(shards.length),
    comps: String(comps.length),
    list_shard: shards.map(({ shard, nodes }) => ({
      shard_id: String(shard.id),
      shard_name: shard.name,
      nodes: String(nodes.length),
      list_node: nodes.map((node) => ({
        hostaddr: node.hostaddr,
        port: String(node.port),
        master: node.memberState === 'source' ? 'true' : 'false',
        status: onlineWord(node.status),
      })),
    })),
    list_comp: comps.map((comp) => ({
      comp_id: String(comp.id),
      comp_name: comp.name,
      hostaddr: comp.hostaddr,
      port: String(comp.port),
      status: onlineWord(comp.status),
    })),
  };
}

/** Consoles ask without a name when somebody logs in, and take null for an edition without restrictions. */
export const getClusterDetail = defineImmediateJob<Services>()({
  jobType: 'get_cluster_detail',
  aliases: [],
  summary: 'Describe one cluster',
  paras: Type.Object({
    cluster_name: Type.Optional(
      text({
        description: 'name of the cluster (cluster_<seconds>_<number>)',
        codes: { invalid: 70_502 },
        example: 'cluster_1659333382_000001',
        maxLength: 120,
      }),
    ),
  }),
  example: { cluster_name: 'cluster_1659333382_000001' },
  changes: false,
  async answer({ catalog }, { cluster_name: name }, signal) {
    if (name === undefined) return null;
    const trees = await clusterTrees(catalog, signal);
    const tree = trees.find(({ cluster }) => cluster.name === name);
    if (tree !== undefined) return detail(tree);
    throw new KlusterError('cluster_not_found', `There is no cluster with the name ${JSON.stringify(name)}`);
  },
});
