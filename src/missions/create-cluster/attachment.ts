import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { HostPort } from '../../core/model.ts';
import type { JobView } from '../../jobs/mission.ts';
import { hostList, jobPart, outputOf, type JobPart } from '../attachment-parts.ts';
import {
  createClusterPrepared,
  recordedCluster,
  registeredCluster,
  startedInstance,
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

function started(job: JobView, path: string, hostaddr: string): readonly HostPort[] {
  const output = outputOf(job, path, startedInstance);
  return output === undefined ? [] : [{ hostaddr, port: output.port }];
}

function shardStep(job: JobView, prepared: CreateClusterPrepared, part: JobPart): JsonObject {
  const recorded = outputOf(job, stepPaths.record, recordedCluster);
  const hosts = prepared.shards.map((shard, index) => ({
    name: shard.name,
    nodes: shard.nodes.flatMap((place, node) =>
      started(job, stepPaths.storageNode(index + 1, node + 1), place.hostaddr),
    ),
  }));
  return {
    ...clusterKeys(job, prepared),
    shard_ids: prepared.shards.map((shard, index) => ({
      [shard.name]: String(recorded?.shardIds[index] ?? ''),
    })),
    shard_hosts: hosts.map(({ name, nodes }) => ({ [name]: hostList(nodes) })),
    storage_hosts: hostList(hosts.flatMap(({ nodes }) => nodes)),
    storage_id: String(job.id),
    storage_state: part.state,
    rollback_flag: part.state === 'failed' ? '1' : '0',
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}

function computerStep(job: JobView, prepared: CreateClusterPrepared, part: JobPart): JsonObject {
  const nodes = prepared.comps.flatMap((place, index) =>
    started(job, stepPaths.computeNode(index + 1), place.hostaddr),
  );
  const { computer_user: user } = job.paras;
  return {
    ...clusterKeys(job, prepared),
    computer_hosts: hostList(nodes),
    computer_id: String(job.id),
    computer_state: part.state,
    computer_user: typeof user === 'string' ? user : 'abc',
    rollback_flag: part.state === 'failed' ? '1' : '0',
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}
