import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../../core/model.ts';
import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { agentAt } from '../machine/catalog.ts';
import { chooseTarget } from '../manual-switch/choose-target.ts';
import type { ManualSwitchPrepared } from '../manual-switch/parameters.ts';
import { nodeAt, type ClusterNode } from '../topology/node-at.ts';
import { controlInstanceParas, controlInstancePrepared, type ControlInstanceParas } from './parameters.ts';
import { controlInstancePlan } from './plan.ts';

/** Starts, stops or restarts one storage node or compute node on purpose. */
export const controlInstance = defineMission<Services>()({
  jobType: 'control_instance',
  aliases: [],
  summary: 'Start, stop or restart a storage node or compute node',
  paras: controlInstanceParas,
  prepared: controlInstancePrepared,
  example: { hostaddr: '192.168.0.2', port: '57001', control: 'restart', machine_type: 'storage' },
  doneText: 'control instance successfully',

  async admit(services, paras) {
    const { node } = await chosenNode(services, paras);
    return { admitted: true, locks: [`cluster:${String(node.clusterId)}`] };
  },

  async prepare({ services, signal }, paras) {
    const { kind, node } = await chosenNode(services, paras, signal);
    const { hostaddr, port } = node;
    const { port: agentPort } = await agentAt(services, hostaddr);
    const handOver =
      kind === 'storage' && paras.control !== 'start' ? await successorOf(services, node, signal) : null;
    const waits = kind === 'storage' && node.memberState === 'source' && handOver === null;
    return {
      instanceId: node.instanceId,
      hostaddr,
      port,
      agentPort,
      shardId: kind === 'storage' ? node.shardId : null,
      killed: waits && (await isSemiSync(services, node, signal)),
      handOver,
    };
  },

  plan: (paras, prepared) => controlInstancePlan(paras, prepared),

  attachment: () => ({}),
});

/** @throws KlusterError instance_address_unknown, also when the node is of the other type */
async function chosenNode(
  services: Services,
  paras: ControlInstanceParas,
  signal?: AbortSignal,
): Promise<ClusterNode> {
  const found = await nodeAt(services, paras, signal);
  const type = found.kind === 'storage' ? 'storage' : 'computer';
  if (paras.machine_type === undefined || paras.machine_type === type) return found;
  throw new KlusterError(
    'instance_address_unknown',
    `paras.machine_type is ${paras.machine_type}, but ${colonAddress(found.node)} is a ${found.kind} node`,
  );
}

async function isSemiSync({ catalog }: Services, node: StorageNode, signal: AbortSignal): Promise<boolean> {
  const cluster = await catalog.database.read((sql) => catalog.clusters.find(sql, node.clusterId), signal);
  return cluster?.haMode === 'rbr';
}

/**
 * Who takes over from a primary that is to be taken down: null when the node is no primary, or the only node that serves.
 * @throws KlusterError switchover_refused when none of the others could
 */
async function successorOf(
  services: Services,
  node: StorageNode,
  signal: AbortSignal,
): Promise<ManualSwitchPrepared | null> {
  if (node.memberState !== 'source') return null;
  const { catalog } = services;
  const { cluster, shard, nodes } = await catalog.database.read(
    async (sql) => ({
      cluster: await catalog.clusters.find(sql, node.clusterId),
      shard: await catalog.shards.find(sql, node.shardId),
      nodes: await catalog.storageNodes.list(sql, { shardId: node.shardId }),
    }),
    signal,
  );
  const others = nodes.filter(({ id, status }) => id !== node.id && status === 'active');
  if (cluster === undefined || shard === undefined || others.length === 0) return null;
  return chooseTarget(services, { cluster, shard, master: node, assigned: null }, signal);
}
