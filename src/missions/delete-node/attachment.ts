import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { hostList, jobPart } from '../attachment-parts.ts';
import { deleteNodePrepared } from './prepared.ts';

/** The keys that consoles read. */
export function deleteNodeAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(deleteNodePrepared, prepared)) return null;
  const part = jobPart(job, () => true);
  return {
    cluster_id: String(prepared.clusterId),
    cluster_name: prepared.clusterName,
    shard_id: String(prepared.shardId),
    storage_hosts: hostList([prepared.place]),
    storage_state: part.state,
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}
