import type { Logger } from 'pino';
import { errorText } from '../core/errors/kluster-error.ts';
import type { JsonObject } from '../core/json.ts';
import type { AnyMission, JobView } from './mission.ts';

/** Characters; with four bytes each they still fit the column (MEDIUMTEXT, 16 MiB). */
const maximumLength = 4 * 1024 * 1024 - 65_536;

function attachmentOf<Services>(
  view: JobView,
  mission: AnyMission<Services> | undefined,
  logger: Logger,
): JsonObject | null {
  try {
    const attachment = mission?.attachment(view) ?? null;
    if (JSON.stringify(attachment).length <= maximumLength) return attachment;
    logger.error({ job: view.id }, 'attachment of a job is too long for its memo');
    return null;
  } catch (error) {
    // A defect of one mission's report may not stop its job.
    logger.error({ job: view.id, reason: errorText(error) }, 'attachment of a job could not be made');
    return null;
  }
}

/**
 * What `cluster_general_job_log.memo` says: the attachment of get_status with error_code (a number) and error_info
 * beside it, as existing clients read it.
 */
export function memoOf<Services>(
  view: JobView,
  mission: AnyMission<Services> | undefined,
  logger: Logger,
): JsonObject {
  const doneText = view.status === 'done' ? (mission?.doneText ?? '') : '';
  return {
    ...attachmentOf(view, mission, logger),
    error_code: view.status === 'failed' ? (view.error?.code ?? 0) : 0,
    error_info: view.status === 'failed' ? (view.error?.message ?? '') : doneText,
  };
}
