import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { JobEventJson, JobJson, JobSummaryJson, StepJson } from '../../core/rest-types.ts';
import type { JobEventBase } from '../../jobs/directory.ts';
import type { JobView, StepView } from '../../jobs/mission.ts';

function isoTime(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}

function stepJson(step: StepView): StepJson {
  return {
    path: step.path,
    title: step.title,
    state: step.state,
    attempt: step.attempt,
    started_at: isoTime(step.startedAt),
    ended_at: isoTime(step.endedAt),
    output: step.output ?? null,
    reason: step.reason,
    weight: step.weight,
  };
}

export function jobSummaryJson(view: JobView): JobSummaryJson {
  return {
    job_id: view.id,
    job_type: view.jobType,
    status: view.status,
    phase: view.phase,
    user_name: view.userName,
    submitted_at: view.submittedAt.toISOString(),
    started_at: isoTime(view.startedAt),
    ended_at: isoTime(view.endedAt),
    progress: view.progress,
    error: view.error,
  };
}

export function jobJson(view: JobView, attachment: JsonObject | null): JobJson {
  return {
    ...jobSummaryJson(view),
    paras: view.paras,
    prepared: view.prepared ?? null,
    cancel_requested: view.cancelRequested,
    cancellable: view.cancellable,
    waiting_for: view.waitingFor.map(({ lock, job }) => ({ lock, job_id: job })),
    steps: view.steps.map(stepJson),
    notes: view.notes,
    retry_of: view.retryOf,
    attachment,
  };
}

function snakeCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Keys whose values belong to missions and clients, and are passed on as they are. */
const opaqueKeys = new Set(['output', 'paras', 'prepared', 'attachment']);

function jsonOf(value: unknown): Json {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value === 'object' && value !== null) return snakeObject(value);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}

function snakeObject(value: object): JsonObject {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]): [string, Json] => [
        snakeCase(key),
        opaqueKeys.has(key) && isJsonObject(member) ? member : jsonOf(member),
      ]),
  );
}

export function jobEventJson(event: JobEventBase): JobEventJson {
  return {
    ...snakeObject(event),
    sequence: event.sequence,
    at: event.at instanceof Date ? event.at.toISOString() : event.at,
    type: event.type,
  };
}
