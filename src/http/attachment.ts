import type { FastifyBaseLogger } from 'fastify';
import { errorText } from '../core/errors/kluster-error.ts';
import type { JsonObject } from '../core/json.ts';
import type { JobView } from '../jobs/mission.ts';
import type { JobTypes } from './job-types.ts';

/** What the mission has to say about its job. A defect there must not look like a failure of the job. */
export function attachmentOf<Services>(
  view: JobView,
  jobTypes: JobTypes<Services>,
  logger: FastifyBaseLogger,
): JsonObject | null {
  try {
    return jobTypes.mission(view.jobType)?.attachment(view) ?? null;
  } catch (error) {
    logger.error({ job: view.id, reason: errorText(error) }, 'the attachment of a job could not be made');
    return null;
  }
}
