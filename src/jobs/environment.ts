import type { Logger } from 'pino';
import type { MetadataDatabase } from '../catalog/database.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { FaultPoint } from './fault-points.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { RetryPolicy } from './plan.ts';

/** What every running job shares with the engine that runs it. */
export interface JobEnvironment<Services> {
  readonly database: MetadataDatabase;
  readonly services: Services;
  /** Opens the sealed parameters. */
  readonly secret: string;
  readonly logger: Logger;
  readonly faultPoint: FaultPoint;
  /** See `preparesUnder` of a mission. Only this process prepares: a former leader can store nothing any more. */
  readonly preparations: KeyedMutex;
  /** For steps past the point of no return. */
  readonly forwardOnlyRetry: RetryPolicy;
  /** Aborted, with an Interrupted as reason, when steps have to stop: the engine stops or lost its office. */
  readonly stopping: AbortSignal;
  /** Aborted when nothing may be written any more. */
  readonly closed: AbortSignal;
  /** To be called on the first sign that another manager leads. */
  loseOffice(sign: unknown): void;
}

/** Whether something, an agent or the metadata database, has heard of a younger leader. */
export function isStaleEpoch(error: unknown): boolean {
  return error instanceof KlusterError && error.kind === 'stale_epoch';
}
