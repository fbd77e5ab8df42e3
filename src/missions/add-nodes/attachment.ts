import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { hostList, jobPart, outputOf } from '../attachment-parts.ts';
import { storageNodePath } from '../topology/orders.ts';
import { startedNode } from '../topology/part-attachments.ts';
import { addNodesPrepared, recordedNodes, stepPaths } from './prepared.ts';

/** What older clients read as shard_id when every shard gets nodes. */
const everyShard = '-2';

/** The keys of the API document and those that consoles read. The ids of sub-jobs name this job: it has none. */
export function addNodesAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(addNodesPrepared, prepared)) return null;
  const part = jobPart(job, () => true);
  const nodeIds = outputOf(job, stepPaths.record, recordedNodes)?.nodeIds;
  const shards = prepared.shards.map((shard, index) => ({
    id: String(shard.shardId),
    name: shard.name,
    nodes: shard.nodes.flatMap(({ hostaddr }, node) =>
      startedNode(job, storageNodePath({ parent: stepPaths.install, name: shard.name }, node + 1), hostaddr),
    ),
    ids: nodeIds?.[index] ?? [],
  }));
  const [first] = prepared.shards;
  return {
    cluster_id: String(prepared.clusterId),
    cluster_name: prepared.clusterName,
    shards: String(prepared.shardCount),
    comps: String(prepared.comps.length),
    shard_id: prepared.everyShard ? everyShard : String(first?.shardId ?? ''),
    nodes: String(first?.nodes.length ?? 0),
    list_shard: shards.map(({ id, name, nodes: started, ids }) => ({
      shard_id: id,
      shard_name: name,
      nodes: String(started.length),
      list_node: started.map(({ hostaddr, port }, node) => ({
        hostaddr,
        node_id: String(ids[node] ?? ''),
        port: String(port),
      })),
    })),
    shard_hosts: shards.map(({ id, nodes: started }) => ({ [id]: hostList(started) })),
    shard_map_ids: shards.map(({ id }) => ({ [id]: String(job.id) })),
    shard_state: shards.map(({ id, name }) => ({
      [id]: jobPart(job, (path) => path.includes(`/${name}/`)).state,
    })),
    storage_hosts: hostList(shards.flatMap(({ nodes: started }) => started)),
    storage_state: part.state,
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}
