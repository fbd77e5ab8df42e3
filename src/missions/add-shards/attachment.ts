import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { jobPart, outputOf } from '../attachment-parts.ts';
import { storageNodePath } from '../topology/orders.ts';
import { shardPart, startedNode } from '../topology/part-attachments.ts';
import { addShardsPrepared, recordedShards, stepPaths } from './prepared.ts';

/** The keys of the API document and those that consoles read. `shards` and `comps` count those of the cluster. */
export function addShardsAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(addShardsPrepared, prepared)) return null;
  const shardIds = outputOf(job, stepPaths.record, recordedShards)?.shardIds;
  const shards = prepared.shards.map(({ name, nodes }, index) => ({
    name,
    id: shardIds?.[index],
    nodes: nodes.flatMap(({ hostaddr }, node) =>
      startedNode(job, storageNodePath({ parent: stepPaths.install, name }, node + 1), hostaddr),
    ),
  }));
  return {
    cluster_id: String(prepared.clusterId),
    cluster_name: prepared.clusterName,
    nick_name: prepared.nickName,
    ha_mode: prepared.haMode,
    shards: String(prepared.shardsBefore + prepared.shards.length),
    comps: String(prepared.comps.length),
    list_shard: shards.map(({ name, id }) => ({ shard_id: String(id ?? ''), shard_name: name })),
    ...shardPart(
      job,
      jobPart(job, () => true),
      shards,
    ),
  };
}
