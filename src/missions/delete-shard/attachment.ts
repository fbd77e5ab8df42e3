import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { hostList, jobPart } from '../attachment-parts.ts';
import { deleteShardPrepared } from './prepared.ts';

/** The keys that consoles read. The id of a sub-job names this job: it has none. */
export function deleteShardAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(deleteShardPrepared, prepared)) return null;
  const part = jobPart(job, () => true);
  return {
    cluster_id: String(prepared.clusterId),
    cluster_name: prepared.clusterName,
    shard_id: String(prepared.shardId),
    shard_ids: `${String(prepared.shardId)},`,
    storage_hosts: hostList(prepared.nodes.map(({ place }) => place)),
    storage_id: String(job.id),
    storage_state: part.state,
    rollback_flag: '1',
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}
