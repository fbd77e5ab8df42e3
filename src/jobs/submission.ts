import type { MetadataDatabase } from '../catalog/database.ts';
import { findIdempotentJob, insertJob } from '../catalog/jobs.ts';
import type { NewJob, StoredJob } from '../catalog/job-records.ts';
import { KlusterError, violationsError } from '../core/errors/kluster-error.ts';
import type { JobId } from '../core/ids.ts';
import { sortedJson, type Json } from '../core/json.ts';
import { normaliseParas, parseParameters } from '../core/parameters/parse.ts';
import { requestSignature, seal } from '../core/seal.ts';
import type { JobSubmission } from './directory.ts';
import { storedEvent, type JobEvent } from './job-event.ts';
import type { AnyMission, AnyParas } from './mission.ts';
import { shownParas, shownRequest } from './secrets.ts';

interface SubmissionEnvironment<Services> {
  readonly database: MetadataDatabase;
  readonly services: Services;
  readonly secret: string;
}

const maximumKeyLength = 255;
const maximumLockLength = 255;
/** Width of `cluster_general_job_log.user_name`. */
const maximumUserNameLength = 128;

/**
 * Recognises a repeated request. Keyed with the secret of the installation, so that the stored digest of a request
 * with a weak password cannot be used to guess it.
 */
function requestDigest(secret: string, mission: string, { paras, userName }: JobSubmission): string {
  return requestSignature(secret, `job\n${mission}\n${userName}\n${sortedJson(normaliseParas(paras))}`);
}

/** The locks of an admitted job, each once. */
async function admittedLocks<Services>(
  mission: AnyMission<Services>,
  services: Services,
  paras: AnyParas,
): Promise<readonly string[]> {
  const admission = await mission.admit(services, paras);
  if (!admission.admitted) throw violationsError(admission.violations);
  for (const lock of admission.locks) {
    if (lock === '' || lock.length > maximumLockLength) {
      throw new KlusterError(
        'internal',
        `${mission.jobType} asks for a lock with an impossible name: ${lock}`,
      );
    }
  }
  return [...new Set(admission.locks)].sort();
}

const submittedEvent = (at: Date): JobEvent => ({
  sequence: 1,
  at,
  type: 'job',
  status: 'not_started',
  phase: 'queued',
  progress: 0,
  cancelRequested: false,
  cancellable: true,
  error: null,
});

/** A job just submitted, as `loadJobs` would give it. */
function asStored(id: JobId, job: NewJob): StoredJob {
  return {
    ...job,
    id,
    phase: 'queued',
    cancelRequested: false,
    pastPointOfNoReturn: false,
    error: null,
    notes: [],
    progress: 0,
    startedAt: null,
    endedAt: null,
    prepared: undefined,
    steps: [],
    lastSequence: 1,
  };
}

/** Throws `idempotency_conflict` when the key belongs to another request. */
async function earlierJob(
  database: MetadataDatabase,
  idempotency: NonNullable<NewJob['idempotency']>,
): Promise<JobId | undefined> {
  const earlier = await database.read((sql) => findIdempotentJob(sql, idempotency.key));
  if (earlier === undefined || earlier.digest === idempotency.digest) return earlier?.id;
  throw new KlusterError(
    'idempotency_conflict',
    `the Idempotency-Key was used for job ${String(earlier.id)} with another request`,
  );
}

function idempotencyOf(secret: string, mission: string, submission: JobSubmission): NewJob['idempotency'] {
  const { idempotencyKey: key } = submission;
  if (key === undefined) return undefined;
  if (key === '' || key.length > maximumKeyLength) {
    throw new KlusterError(
      'bad_request',
      `an Idempotency-Key must have 1 to ${String(maximumKeyLength)} characters, got ${String(key.length)}`,
    );
  }
  return { key, digest: requestDigest(secret, mission, submission) };
}

/**
 * Checks a request and makes it a durable job. Gives the id alone when the request was a repetition. Throws with
 * every violation when the parameters break a rule; nothing is changed then.
 */
export async function submitJob<Services>(
  environment: SubmissionEnvironment<Services>,
  mission: AnyMission<Services>,
  submission: JobSubmission,
): Promise<{ readonly id: JobId; readonly job?: StoredJob }> {
  const { database, services, secret } = environment;
  const idempotency = idempotencyOf(secret, mission.jobType, submission);
  const earlier = idempotency === undefined ? undefined : await earlierJob(database, idempotency);
  if (earlier !== undefined) return { id: earlier };
  const parsed = parseParameters(mission.paras, submission.paras);
  if (!parsed.ok) throw violationsError(parsed.violations);
  const locks = await admittedLocks(mission, services, parsed.value);
  const submittedAt = new Date();
  const newJob: NewJob = {
    jobType: mission.jobType,
    userName: submission.userName.slice(0, maximumUserNameLength),
    locks,
    sealedParas: seal(secret, 'job-parameters', JSON.stringify(parsed.value)),
    paras: shownParas(mission.paras, parsed.value as Json),
    retryOf: submission.retryOf ?? null,
    submittedAt,
    request: shownRequest(mission.paras, submission.request),
    idempotency,
  };
  const id = await database.write((sql) => insertJob(sql, newJob, storedEvent(submittedEvent(submittedAt))));
  return { id, job: asStored(id, newJob) };
}
