import type { FastifyBaseLogger } from 'fastify';
import type { Metric } from 'prom-client';
import type { ImmediateJob } from '../jobs/immediate.ts';
import type { JobDirectory } from '../jobs/directory.ts';
import type { AnyMission } from '../jobs/mission.ts';
import type { JobCount } from '../queries/count-jobs.ts';
import type { AccessConfig } from './access.ts';
import type { Leadership } from './leadership.ts';
import type { Topology } from './topology.ts';

export interface HttpConfig {
  readonly access: AccessConfig;
  /** Milliseconds that a closing server gives to requests in flight; default 5000. */
  readonly closeDeadlineMs?: number;
}

/** What the HTTP interface stands on. `Services` is what missions and queries work with. */
export interface ServerOptions<Services> {
  readonly jobs: JobDirectory;
  readonly missions: readonly AnyMission<Services>[];
  readonly immediateJobs: readonly ImmediateJob<Services>[];
  readonly services: Services;
  readonly config: HttpConfig;
  readonly logger: FastifyBaseLogger;
  readonly leadership: Leadership;
  readonly topology: Topology;
  /** Throws when the metadata database does not answer. */
  readonly probeMetadata: (signal: AbortSignal) => Promise<void>;
  /** For /metrics. */
  readonly countJobs: (signal: AbortSignal) => Promise<readonly JobCount[]>;
  /** More of what /metrics tells. */
  readonly metrics?: readonly Metric[];
  readonly agents: AgentRegistration;
}

/** Agents that report for duty by themselves. */
export interface AgentRegistration {
  /** The installation's secret, with which agents sign. */
  readonly secret: string;
  register(agent: { readonly hostaddr: string; readonly port: number }): Promise<void>;
}
