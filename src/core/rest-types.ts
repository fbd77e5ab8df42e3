import type { Json, JsonObject } from './json.ts';

/** The JSON of the REST interface /api/v1, as the server writes it and the client reads it. Times are ISO 8601, UTC. */
export interface StepJson {
  readonly path: string;
  readonly title: string;
  readonly state: string;
  readonly attempt: number;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly output: Json;
  readonly reason: string | null;
  readonly weight: number;
}

export interface JobErrorJson {
  readonly kind: string;
  readonly code: number;
  readonly message: string;
  readonly hint: string;
}

/** A job without its steps, as lists show it. */
export interface JobSummaryJson {
  readonly job_id: number;
  readonly job_type: string;
  /** not_started, ongoing, done, failed */
  readonly status: string;
  /** queued, forward, undoing, ended */
  readonly phase: string;
  readonly user_name: string;
  readonly submitted_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /** 0..100 */
  readonly progress: number;
  readonly error: JobErrorJson | null;
}

export interface JobJson extends JobSummaryJson {
  /** Secrets replaced. */
  readonly paras: JsonObject;
  readonly prepared: Json;
  readonly cancel_requested: boolean;
  readonly cancellable: boolean;
  readonly waiting_for: readonly { readonly lock: string; readonly job_id: number }[];
  readonly steps: readonly StepJson[];
  readonly notes: readonly string[];
  readonly retry_of: number | null;
  readonly attachment: JsonObject | null;
}

export interface JobListJson {
  readonly jobs: readonly JobSummaryJson[];
  /** `before` of the next page; null on the last one. */
  readonly next_before: number | null;
}

/** The body of POST /api/v1/jobs. */
export interface JobRequestJson {
  readonly job_type: string;
  readonly paras?: Json;
  readonly user_name?: string;
}

/** The answer of a job type that answers at once. */
export interface AnswerJson {
  readonly job_type: string;
  readonly status: 'done';
  readonly attachment: JsonObject | null;
}

/** The attachment of `doctor`: the differences between the catalog and what really runs. */
export interface DoctorJson {
  /** Nothing differs, and everything could be looked at. */
  readonly clean: boolean;
  readonly findings: readonly {
    readonly what: string;
    readonly where: string;
    readonly why: string;
    readonly to_do: string;
  }[];
  readonly not_seen: readonly { readonly where: string; readonly why: string }[];
  /** What they are changing is left out of the comparison. */
  readonly jobs_under_way: readonly {
    readonly job_id: string;
    readonly job_type: string;
    readonly phase: string;
  }[];
}

/** One event of GET /api/v1/jobs/:id/events; `sequence` is also its SSE id. */
export interface JobEventJson {
  readonly sequence: number;
  readonly at: string;
  /** job, step, note; `end` carries the whole job and is the last one. */
  readonly type: string;
  readonly [key: string]: Json | undefined;
}

export interface MachineJson {
  readonly hostaddr: string;
  /** storage, computer */
  readonly roles: readonly string[];
  /** online: the agent answered within the deadline; offline: it did not. */
  readonly status: 'online' | 'offline';
}

export interface StorageNodeJson {
  readonly node_id: number;
  readonly hostaddr: string;
  readonly port: number;
  readonly role: 'source' | 'replica';
  /** creating, active, inactive, manual_stop as the catalog has it; unreachable: the machine's agent is silent. */
  readonly status: string;
  readonly pid: number | null;
  readonly datadir: string | null;
}

export interface ShardJson {
  readonly shard_id: number;
  readonly shard_name: string;
  /** What the health loop last found, e.g. healthy, primary_full; null before its first look. */
  readonly state: string | null;
  /** Why, in a sentence. */
  readonly reason: string | null;
  readonly nodes: readonly StorageNodeJson[];
}

export interface ComputeNodeJson {
  readonly comp_id: number;
  readonly comp_name: string;
  readonly hostaddr: string;
  readonly port: number;
  readonly status: string;
  readonly pid: number | null;
  readonly datadir: string | null;
}

export interface ClusterJson {
  readonly cluster_id: number;
  readonly cluster_name: string;
  readonly nick_name: string;
  readonly ha_mode: string;
  readonly shards: readonly ShardJson[];
  readonly comps: readonly ComputeNodeJson[];
}

export interface MetadataNodeJson {
  readonly hostaddr: string;
  readonly port: number;
  readonly role: 'source' | 'replica';
  readonly pid: number | null;
}

export interface StatusJson {
  readonly manager: { readonly url: string; readonly pid: number | null; readonly leader: boolean };
  readonly metadata: { readonly mode: string; readonly nodes: readonly MetadataNodeJson[] };
  readonly machines: readonly MachineJson[];
  readonly clusters: readonly ClusterJson[];
}

/** application/problem+json, RFC 9457. */
export interface ProblemJson {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Name in the error catalogue. */
  readonly kind: string;
  /** Wire code, 70000 + n. */
  readonly code: number;
  readonly violations: readonly {
    readonly field: string;
    readonly value?: string;
    readonly rule: string;
    readonly code: number;
  }[];
  readonly hint: string;
  /** The request's id in the manager's log. */
  readonly instance: string;
}
