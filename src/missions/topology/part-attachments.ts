import type { JsonObject } from '../../core/json.ts';
import type { HostPort } from '../../core/model.ts';
import type { JobView } from '../../jobs/mission.ts';
import { hostList, outputOf, type JobPart } from '../attachment-parts.ts';
import { startedInstance } from './places.ts';

/** A shard as far as a job has made it. */
export interface ShownShard {
  readonly name: string;
  /** Undefined until it is recorded. */
  readonly id: number | undefined;
  readonly nodes: readonly HostPort[];
}

/** The node that the step at `path` has started, once it has. */
export function startedNode(job: JobView, path: string, hostaddr: string): readonly HostPort[] {
  const output = outputOf(job, path, startedInstance);
  return output === undefined ? [] : [{ hostaddr, port: output.port }];
}

/** The keys that consoles read of the shards' side of a job. The id of a sub-job names the job: it has none. */
export function shardPart(job: JobView, part: JobPart, shards: readonly ShownShard[]): JsonObject {
  return {
    shard_ids: shards.map(({ name, id }) => ({ [name]: String(id ?? '') })),
    shard_hosts: shards.map(({ name, nodes }) => ({ [name]: hostList(nodes) })),
    storage_hosts: hostList(shards.flatMap(({ nodes }) => nodes)),
    storage_id: String(job.id),
    storage_state: part.state,
    rollback_flag: part.state === 'failed' ? '1' : '0',
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}

/** The keys that consoles read of the compute nodes' side of a job. */
export function computePart(job: JobView, part: JobPart, nodes: readonly HostPort[]): JsonObject {
  return {
    computer_hosts: hostList(nodes),
    computer_id: String(job.id),
    computer_state: part.state,
    rollback_flag: part.state === 'failed' ? '1' : '0',
    error_code: part.errorCode,
    error_info: part.errorInfo,
  };
}
