import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { hostList, jobPart } from '../attachment-parts.ts';
import { deleteClusterPrepared } from './prepared.ts';

const isComputerStep = (path: string): boolean => path.startsWith('delete_cluster/instances/computers/');

/** The keys of the API document's sample, which consoles read too. The ids of sub-jobs name this job: it has none. */
export function deleteClusterAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(deleteClusterPrepared, prepared)) return null;
  const storage = jobPart(job, (path) => !isComputerStep(path));
  const computer = jobPart(job, isComputerStep);
  const id = String(job.id);
  const clusterId = String(prepared.clusterId);
  return {
    cluster_id: clusterId,
    cluster_name: prepared.clusterName,
    job_steps: 'shard,computer',
    shard_id: id,
    storage_state: storage.state,
    shard_step: [
      {
        cluster_id: clusterId,
        shard_ids: prepared.shards.map((shard) => `${String(shard.shardId)},`).join(''),
        storage_hosts: hostList(prepared.shards.flatMap((shard) => shard.nodes)),
        storage_id: id,
        storage_state: storage.state,
        rollback_flag: '1',
        error_code: storage.errorCode,
        error_info: storage.errorInfo,
      },
    ],
    computer_id: id,
    computer_state: computer.state,
    computer_step: [
      {
        cluster_id: clusterId,
        computer_hosts: hostList(prepared.comps),
        computer_id: id,
        computer_state: computer.state,
        rollback_flag: '1',
        error_code: computer.errorCode,
        error_info: computer.errorInfo,
      },
    ],
  };
}
