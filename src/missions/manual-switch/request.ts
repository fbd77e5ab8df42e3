import { KlusterError, type Violation } from '../../core/errors/kluster-error.ts';
import { clusterId, shardId } from '../../core/ids.ts';
import { underscoreAddress, type Cluster, type Shard, type StorageNode } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import type { Services } from '../../jobs/services.ts';
import type { ManualSwitchParas } from './parameters.ts';

export interface SwitchRequest {
  readonly cluster: Cluster;
  readonly shard: Shard;
  readonly master: StorageNode;
  readonly assigned: StorageNode | null;
}

const violation = (field: string, value: unknown, rule: string, code: number): Violation => ({
  field: `paras.${field}`,
  value: shownValue(value),
  rule,
  code,
});

/** What the catalog says to a request: what it names, or the rules that it breaks. */
export async function readRequest(
  { catalog }: Services,
  paras: ManualSwitchParas,
  signal?: AbortSignal,
): Promise<SwitchRequest | readonly [Violation, ...Violation[]]> {
  return catalog.database.read(async (sql) => {
    const cluster = await catalog.clusters.find(sql, clusterId(paras.cluster_id));
    if (cluster === undefined) {
      return [violation('cluster_id', paras.cluster_id, 'must be the id of a cluster', 70_503)];
    }
    if (cluster.haMode === 'no_rep') {
      const rule = `must be a cluster with replicas: ${cluster.name} has ha_mode no_rep`;
      return [violation('cluster_id', paras.cluster_id, rule, 70_514)];
    }
    const shard = await catalog.shards.find(sql, shardId(paras.shard_id));
    if (shard?.clusterId !== cluster.id) {
      return [violation('shard_id', paras.shard_id, `must be the id of a shard of ${cluster.name}`, 70_027)];
    }
    const nodes = await catalog.storageNodes.list(sql, { shardId: shard.id });
    return namedNodes(paras, { cluster, shard, nodes });
  }, signal);
}

function namedNodes(
  { master_hostaddr: masterText, assign_hostaddr: assignText }: ManualSwitchParas,
  {
    cluster,
    shard,
    nodes,
  }: Pick<SwitchRequest, 'cluster' | 'shard'> & { readonly nodes: readonly StorageNode[] },
): SwitchRequest | readonly [Violation, ...Violation[]] {
  const find = (text: string): StorageNode | undefined =>
    nodes.find((node) => underscoreAddress(node) === text);
  const all = nodes.map((node) => underscoreAddress(node)).join(', ');
  const master = find(masterText);
  if (master === undefined) {
    return [violation('master_hostaddr', masterText, `must be a node of ${shard.name}: ${all}`, 70_030)];
  }
  if (master.memberState !== 'source') {
    const source = nodes.find(({ memberState }) => memberState === 'source');
    const rule = `must be the primary of ${shard.name}: ${source === undefined ? 'it has none' : underscoreAddress(source)}`;
    return [violation('master_hostaddr', masterText, rule, 70_033)];
  }
  if (assignText === undefined) return { cluster, shard, master, assigned: null };
  const assigned = find(assignText);
  if (assigned === undefined) {
    return [violation('assign_hostaddr', assignText, `must be a node of ${shard.name}: ${all}`, 70_032)];
  }
  if (assigned.memberState !== 'replica') {
    const rule = `must be a replica of ${shard.name}; it is the primary already`;
    return [violation('assign_hostaddr', assignText, rule, 70_034)];
  }
  return { cluster, shard, master, assigned };
}

/** The same when the job's turn has come: what changed meanwhile is the reason for its end. */
export async function requireRequest(
  services: Services,
  paras: ManualSwitchParas,
  signal: AbortSignal,
): Promise<SwitchRequest> {
  const request = await readRequest(services, paras, signal);
  if ('shard' in request) return request;
  const [{ rule, field, code }] = request;
  throw new KlusterError('switchover_refused', `${field} ${rule}, and no longer is`, { code });
}
