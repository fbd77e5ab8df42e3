import type { FastifyBaseLogger } from 'fastify';
import { jobId, type JobId } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { JobDirectory } from '../../jobs/directory.ts';
import type { JobError, JobView } from '../../jobs/mission.ts';
import { attachmentOf } from '../attachment.ts';
import type { JobTypes } from '../job-types.ts';
import { errorInfo, failedReply, fullReply, type Reply } from './replies.ts';

/** The id in a text, or undefined when the text cannot be one. */
function jobIdFrom(text: string): JobId | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? jobId(number) : undefined;
}

/** Clients wait while a job is `ongoing`, and take any other word for its end; so a queued job is ongoing as well. */
function outcome(view: JobView, doneText: string): Pick<Reply, 'status' | 'errorCode' | 'errorInfo'> {
  if (view.status === 'done') return { status: 'done', errorCode: '0', errorInfo: doneText };
  if (view.status === 'failed') return { status: 'failed', ...reasonOf(view.error) };
  return { status: 'ongoing', errorCode: '0', errorInfo: '' };
}

function reasonOf(error: JobError | null): Pick<Reply, 'errorCode' | 'errorInfo'> {
  if (error === null) return { errorCode: '70001', errorInfo: 'The job failed and left no reason' };
  return { errorCode: String(error.code), errorInfo: errorInfo(error.message, error.hint) };
}

/** Null stays null: console pages take it for "nothing to tell yet", but fail on an object without their keys. */
function withProgress(attachment: JsonObject | null, view: JobView): JsonObject | null {
  if (attachment === null) return null;
  return {
    progress: view.progress,
    ...(view.notes.length === 0 ? {} : { notes: view.notes }),
    ...attachment,
  };
}

/**
 * Answers get_status. Clients poll it, thousands of times in the life of a job: the reply of one view is written
 * once (a view never changes; a changed job has a new one).
 */
export class StatusReplies<Services> {
  private readonly jobs: JobDirectory;
  private readonly jobTypes: JobTypes<Services>;
  private readonly logger: FastifyBaseLogger;
  private readonly written = new WeakMap<JobView, string>();

  constructor(
    { jobs, logger }: { readonly jobs: JobDirectory; readonly logger: FastifyBaseLogger },
    jobTypes: JobTypes<Services>,
  ) {
    this.jobs = jobs;
    this.jobTypes = jobTypes;
    this.logger = logger;
  }

  async reply(idText: string): Promise<string> {
    const id = jobIdFrom(idText);
    const view = id === undefined ? undefined : await this.jobs.get(id);
    if (view === undefined) return this.notFound(idText);
    const known = this.written.get(view);
    if (known !== undefined) return known;
    const text = this.write(view);
    this.written.set(view, text);
    return text;
  }

  private write(view: JobView): string {
    const mission = this.jobTypes.mission(view.jobType);
    return fullReply({
      ...outcome(view, mission?.doneText ?? 'OK'),
      attachment: withProgress(attachmentOf(view, this.jobTypes, this.logger), view),
      jobId: String(view.id),
      jobType: view.jobType,
    });
  }

  /** Exactly what consoles take for "not visible yet" and ask again: attachment null, 70001, failed. */
  private notFound(idText: string): string {
    const shown = idText.slice(0, 40);
    const what = shown === '' ? 'job_id is missing' : `There is no job ${JSON.stringify(shown)}`;
    return failedReply(new KlusterError('job_not_found', what), { jobId: shown, jobType: '' });
  }
}
