import { linkedSignal } from '../core/abort.ts';
import { KlusterError, violationsError } from '../core/errors/kluster-error.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { parseParameters } from '../core/parameters/parse.ts';
import type { ImmediateJob } from '../jobs/immediate.ts';

/** Milliseconds; consoles give up after 30 s. */
const answerDeadlineMs = 25_000;

/** Runs a job that answers at once. What only reads is given up when its caller has gone. */
export async function answerImmediately<Services>(
  job: ImmediateJob<Services>,
  request: { readonly services: Services; readonly paras: Json | undefined; readonly gone: AbortSignal },
): Promise<JsonObject | null> {
  const parsed = parseParameters(job.paras, request.paras);
  if (!parsed.ok) throw violationsError(parsed.violations);
  const deadline = job.changes ? linkedSignal() : linkedSignal(request.gone);
  const timer = setTimeout(() => {
    deadline.abort(
      new KlusterError('step_deadline', `${job.jobType} got no answer within ${String(answerDeadlineMs)} ms`),
    );
  }, answerDeadlineMs);
  try {
    return await job.answer(request.services, parsed.value, deadline.signal);
  } finally {
    clearTimeout(timer);
    deadline.release();
  }
}
