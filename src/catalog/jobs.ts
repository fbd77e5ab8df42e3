import { jobId, type JobId } from '../core/ids.ts';
import type { Json, JsonObject } from '../core/json.ts';
import {
  parseEvent,
  parseJob,
  parseJobId,
  parseStep,
  type JobProgress,
  type NewJob,
  type StoredEvent,
  type StoredJob,
  type StoredJobStatus,
  type StoredStep,
} from './job-records.ts';
import { firstRow, textOf, type Sql } from './sql.ts';

/** Everything about one job that is to become durable together. */
export interface JobChanges {
  readonly progress?: JobProgress & { readonly status: StoredJobStatus };
  readonly prepared?: Json;
  /** The steps of a plan just made. */
  readonly plan?: readonly StoredStep[];
  /** Steps that changed; their output only when it is new. */
  readonly steps: readonly StoredStep[];
  readonly events: readonly StoredEvent[];
  /** Replaces the public memo. */
  readonly memo?: JsonObject;
}

export interface JobFilter {
  readonly limit: number;
  /** Only jobs with a smaller id. */
  readonly before?: JobId;
  readonly status?: StoredJobStatus;
  readonly jobType?: string;
  /** Only jobs that hold or held this lock. */
  readonly lock?: string;
}

/** Adds the job with its locks and its first event; gives its id. */
export async function insertJob(sql: Sql, job: NewJob, event: StoredEvent): Promise<JobId> {
  const { insertId } = await sql.execute(
    `INSERT INTO cluster_general_job_log (related_id, job_type, status, when_started, job_info, user_name)
     VALUES ('0', ?, 'not_started', ?, ?, ?)`,
    [job.jobType, job.submittedAt, JSON.stringify(job.request), job.userName],
  );
  await sql.execute(
    `INSERT INTO kluster_jobs (job_id, job_type, user_name, locks, sealed_paras, paras, idempotency_key,
       request_digest, notes, retry_of, submitted_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, ?)`,
    [
      insertId,
      job.jobType,
      job.userName,
      JSON.stringify(job.locks),
      job.sealedParas,
      JSON.stringify(job.paras),
      job.idempotency?.key ?? null,
      job.idempotency?.digest ?? null,
      job.retryOf,
      job.submittedAt,
    ],
  );
  await sql.execute(
    `INSERT INTO kluster_job_locks (lock_name, job_id)
     SELECT name, ? FROM JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(255) PATH '$')) AS names`,
    [insertId, JSON.stringify(job.locks)],
  );
  await insertEvents(sql, jobId(insertId), [event]);
  return jobId(insertId);
}

/** Writing the same changes twice is as good as once: a commit whose answer was lost is simply repeated. */
export async function saveJob(sql: Sql, job: JobId, changes: JobChanges): Promise<void> {
  if (changes.progress !== undefined) await updateProgress(sql, job, changes.progress);
  if (changes.prepared !== undefined) {
    const prepared = JSON.stringify(changes.prepared);
    await sql.execute('UPDATE kluster_jobs SET prepared = ? WHERE job_id = ?', [prepared, job]);
  }
  if (changes.plan !== undefined) await insertSteps(sql, job, changes.plan);
  for (const step of changes.steps) await updateStep(sql, job, step);
  await insertEvents(sql, job, changes.events);
  if (changes.memo !== undefined) {
    const memo = JSON.stringify(changes.memo);
    await sql.execute('UPDATE cluster_general_job_log SET memo = ? WHERE id = ?', [memo, job]);
  }
}

async function updateProgress(
  sql: Sql,
  job: JobId,
  progress: JobProgress & { readonly status: StoredJobStatus },
): Promise<void> {
  const { phase, cancelRequested, pastPointOfNoReturn, error, notes, startedAt, endedAt } = progress;
  await sql.execute(
    `UPDATE kluster_jobs SET phase = ?, cancel_requested = ?, past_point_of_no_return = ?, error = ?, notes = ?,
       progress = ?, started_at = ?, ended_at = ? WHERE job_id = ?`,
    [
      phase,
      cancelRequested ? 1 : 0,
      pastPointOfNoReturn ? 1 : 0,
      error === null ? null : JSON.stringify(error),
      JSON.stringify(notes),
      progress.progress,
      startedAt,
      endedAt,
      job,
    ],
  );
  await sql.execute(
    `UPDATE cluster_general_job_log
     SET status = ?, when_started = COALESCE(?, when_started), when_ended = ? WHERE id = ?`,
    [progress.status, startedAt, endedAt, job],
  );
  if (phase === 'ended') await sql.execute('DELETE FROM kluster_job_locks WHERE job_id = ?', [job]);
}

async function insertSteps(sql: Sql, job: JobId, plan: readonly StoredStep[]): Promise<void> {
  const rows = plan.map(({ path, title, weight, state }) => ({ path, title, weight, state }));
  await sql.execute(
    `INSERT IGNORE INTO kluster_job_steps (job_id, path, position, title, weight, state)
     SELECT ?, step.path, step.position, step.title, step.weight, step.state
     FROM JSON_TABLE(?, '$[*]' COLUMNS (
       position FOR ORDINALITY,
       path VARCHAR(512) PATH '$.path',
       title TEXT PATH '$.title',
       weight DOUBLE PATH '$.weight',
       state VARCHAR(16) PATH '$.state')) AS step`,
    [job, JSON.stringify(rows)],
  );
}

async function updateStep(sql: Sql, job: JobId, step: StoredStep): Promise<void> {
  await sql.execute(
    `UPDATE kluster_job_steps SET state = ?, attempt = ?, started_at = ?, ended_at = ?, reason = ?,
       output = COALESCE(?, output)
     WHERE job_id = ? AND path = ?`,
    [
      step.state,
      step.attempt,
      step.startedAt,
      step.endedAt,
      step.reason,
      step.output === undefined ? null : JSON.stringify(step.output),
      job,
      step.path,
    ],
  );
}

async function insertEvents(sql: Sql, job: JobId, events: readonly StoredEvent[]): Promise<void> {
  for (const { sequence, at, event } of events) {
    await sql.execute(
      'INSERT IGNORE INTO kluster_job_events (job_id, sequence, at, event) VALUES (?, ?, ?, ?)',
      [job, sequence, at, JSON.stringify(event)],
    );
  }
}

export async function findIdempotentJob(
  sql: Sql,
  key: string,
): Promise<{ readonly id: JobId; readonly digest: string } | undefined> {
  return await firstRow(
    sql,
    'SELECT job_id, request_digest FROM kluster_jobs WHERE idempotency_key = ?',
    [key],
    (row) => ({ id: parseJobId(row), digest: textOf(row, 'request_digest') }),
  );
}

/** The jobs that exist of those asked for, smallest id first, with their steps. */
export async function loadJobs(sql: Sql, ids: readonly JobId[]): Promise<readonly StoredJob[]> {
  if (ids.length === 0) return [];
  const wanted = [JSON.stringify(ids)];
  const jobs = await sql.rows(
    `SELECT job.*, (SELECT COALESCE(MAX(event.sequence), 0) FROM kluster_job_events event
                    WHERE event.job_id = job.job_id) AS last_sequence
     FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
     JOIN kluster_jobs job ON job.job_id = wanted.id ORDER BY job.job_id`,
    wanted,
    parseJob,
  );
  const steps = await sql.rows(
    `SELECT step.* FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
     JOIN kluster_job_steps step ON step.job_id = wanted.id ORDER BY step.job_id, step.position`,
    wanted,
    parseStep,
  );
  const stepsByJob = new Map<JobId, StoredStep[]>(jobs.map(({ id }) => [id, []]));
  for (const { job, step } of steps) stepsByJob.get(job)?.push(step);
  return jobs.map((job) => ({ ...job, steps: stepsByJob.get(job.id) ?? [] }));
}

/** Ids of the jobs that have not ended, smallest first. */
export async function unfinishedJobs(sql: Sql): Promise<readonly JobId[]> {
  return await sql.rows(
    "SELECT job_id FROM kluster_jobs WHERE phase IN ('queued', 'forward', 'undoing') ORDER BY job_id",
    [],
    parseJobId,
  );
}

/** What the unfinished jobs of one type, or of all, have decided, smallest id first; those that have not decided yet are left out. */
export async function unfinishedDecisions(
  sql: Sql,
  jobType?: string,
): Promise<readonly { readonly id: JobId; readonly prepared: Json }[]> {
  return await sql.rows(
    `SELECT job_id, prepared FROM kluster_jobs
     WHERE phase IN ('queued', 'forward', 'undoing') AND (? IS NULL OR job_type = ?) AND prepared IS NOT NULL
     ORDER BY job_id`,
    [jobType ?? null, jobType ?? null],
    (row) => ({ id: parseJobId(row), prepared: JSON.parse(textOf(row, 'prepared')) as Json }),
  );
}

/** The unfinished jobs that hold the lock or wait for it. */
export async function jobsUnderLock(sql: Sql, lock: string): Promise<readonly JobId[]> {
  return await sql.rows(
    'SELECT job_id FROM kluster_job_locks WHERE lock_name = ? ORDER BY job_id',
    [lock],
    parseJobId,
  );
}

/** Ids of the jobs that match, newest first. */
export async function listJobs(sql: Sql, filter: JobFilter): Promise<readonly JobId[]> {
  const { before = null, status = null, jobType = null, lock = null } = filter;
  return await sql.rows(
    `SELECT job.job_id FROM kluster_jobs job JOIN cluster_general_job_log log ON log.id = job.job_id
     WHERE (? IS NULL OR job.job_id < ?) AND (? IS NULL OR log.status = ?) AND (? IS NULL OR job.job_type = ?)
       AND (? IS NULL OR JSON_CONTAINS(job.locks, JSON_QUOTE(?)))
     ORDER BY job.job_id DESC LIMIT ?`,
    // LIMIT takes no floating-point parameter, which is what the driver makes of a number.
    [before, before, status, status, jobType, jobType, lock, lock, String(filter.limit)],
    parseJobId,
  );
}

/**
 * Forgets jobs that ended more than `days` ago, the oldest first, with their steps and events, and their idempotency keys;
 * `limit` at most. Gives how many they were.
 */
export async function forgetEndedJobs(
  sql: Sql,
  { days, limit }: { readonly days: number; readonly limit: number },
): Promise<number> {
  const old = await sql.rows(
    `SELECT job_id FROM kluster_jobs
      WHERE phase = 'ended' AND ended_at < UTC_TIMESTAMP(3) - INTERVAL ? DAY ORDER BY job_id LIMIT ?`,
    [String(days), String(limit)],
    parseJobId,
  );
  for (const id of old) {
    await sql.execute('DELETE FROM kluster_job_events WHERE job_id = ?', [id]);
    await sql.execute('DELETE FROM kluster_job_steps WHERE job_id = ?', [id]);
    await sql.execute('DELETE FROM kluster_jobs WHERE job_id = ?', [id]);
    await sql.execute('DELETE FROM cluster_general_job_log WHERE id = ?', [id]);
  }
  return old.length;
}

/** The newest job that repeats the given one. */
export async function latestRetryOf(sql: Sql, job: JobId): Promise<JobId | undefined> {
  return await firstRow(
    sql,
    'SELECT job_id FROM kluster_jobs WHERE retry_of = ? ORDER BY job_id DESC LIMIT 1',
    [job],
    parseJobId,
  );
}

/** The request as it was recorded, without secrets. */
export async function requestOf(sql: Sql, job: JobId): Promise<Json | undefined> {
  return await firstRow(sql, 'SELECT job_info FROM cluster_general_job_log WHERE id = ?', [job], (row) => {
    return JSON.parse(textOf(row, 'job_info')) as Json;
  });
}

export async function eventsAfter(
  sql: Sql,
  job: JobId,
  page: { readonly after: number; readonly limit: number },
): Promise<readonly StoredEvent[]> {
  return await sql.rows(
    `SELECT sequence, at, event FROM kluster_job_events WHERE job_id = ? AND sequence > ?
     ORDER BY sequence LIMIT ?`,
    [job, page.after, String(page.limit)],
    parseEvent,
  );
}
