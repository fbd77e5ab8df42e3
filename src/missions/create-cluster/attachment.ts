import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { jobPart, outputOf, type JobPart } from '../attachment-parts.ts';
import { storageNodePath } from '../topology/orders.ts';
import { computePart, shardPart, startedNode } from '../topology/part-attachments.ts';
import {
  createClusterPrepared,
  recordedCluster,
  registeredCluster,
  stepPaths,
  type CreateClusterPrepared,
} from './prepared.ts';

const computerSteps = ['create_cluster/install/computers/', 'create_cluster/connect/'];
const isComputerStep = (path: string): boolean => computerSteps.some((prefix) => path.startsWith(prefix));

/**
 * What get_status tells of create_cluster: the keys of the API document and those that consoles read. `shard_id` and
 * `computer_id` once named sub-jobs; there are none, so they name this job.
 */
export function createClusterAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(createClusterPrepared, prepared)) return null;
  const storage = jobPart(job, (path) => !isComputerStep(path));
  const computer = jobPart(job, isComputerStep);
  const id = String(job.id);
  return {
    ...clusterKeys(job, prepared),
    shards: String(prepared.shards.length),
    comps: String(prepared.comps.length),
    job_steps: 'shard,computer',
    shard_id: id,
    storage_state: storage.state,
    ...(storage.state === 'failed' ? { shard_error_info: storage.errorInfo } : {}),
    shard_step: [shardStep(job, prepared, storage)],
    computer_id: id,
    computer_state: computer.state,
    ...(computer.state === 'failed' ? { comp_error_info: computer.errorInfo } : {}),
    computer_step: [computerStep(job, prepared, computer)],
  };
}

function clusterKeys(job: JobView, prepared: CreateClusterPrepared): JsonObject {
  const clusterId = outputOf(job, stepPaths.register, registeredCluster)?.clusterId;
  const { nick_name: nickName, ha_mode: haMode } = job.paras;
  return {
    cluster_id: clusterId === undefined ? '' : String(clusterId),
    cluster_name: prepared.clusterName,
    nick_name: typeof nickName === 'string' ? nickName : prepared.clusterName,
    ha_mode: typeof haMode === 'string' ? haMode : '',
  };
}

function shardStep(job: JobView, prepared: CreateClusterPrepared, part: JobPart): JsonObject {
  const recorded = outputOf(job, stepPaths.record, recordedCluster);
  const shards = prepared.shards.map(({ name, nodes }, index) => ({
    name,
    id: recorded?.shardIds[index],
    nodes: nodes.flatMap(({ hostaddr }, node) =>
      startedNode(job, storageNodePath({ parent: stepPaths.install, name }, node + 1), hostaddr),
    ),
  }));
  return { ...clusterKeys(job, prepared), ...shardPart(job, part, shards) };
}

function computerStep(job: JobView, prepared: CreateClusterPrepared, part: JobPart): JsonObject {
  const nodes = prepared.comps.flatMap(({ hostaddr }, index) =>
    startedNode(job, stepPaths.computeNode(index + 1), hostaddr),
  );
  const { computer_user: user } = job.paras;
  return {
    ...clusterKeys(job, prepared),
    ...computePart(job, part, nodes),
    computer_user: typeof user === 'string' ? user : 'abc',
  };
}
