import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { jobId, type JobId } from '../../core/ids.ts';
import type { Json } from '../../core/json.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { AnswerJson, JobJson, JobListJson } from '../../core/rest-types.ts';
import type { JobView } from '../../jobs/mission.ts';
import { attachmentOf } from '../attachment.ts';
import { callerGone } from '../caller-gone.ts';
import { checkedUserName, idempotencyKeyOf } from '../emit/envelope.ts';
import { answerImmediately } from '../immediate.ts';
import type { JobTypes } from '../job-types.ts';
import { requireLeader } from '../leadership.ts';
import { logAccepted, logFailure } from '../request-log.ts';
import type { ServerOptions } from '../options.ts';
import { streamEvents, type OpenStreams, type ServerSentEvent } from './event-stream.ts';
import { jobEventJson, jobJson, jobSummaryJson } from './job-json.ts';
import { restError } from './problem.ts';
import * as schemas from './schemas.ts';

type IdParams = Type.Static<typeof schemas.idParams>;

interface JobRoutesOptions<Services> {
  readonly server: ServerOptions<Services>;
  readonly jobTypes: JobTypes<Services>;
  readonly streams: OpenStreams;
}

/** `/jobs`: submit, list, look at, watch, cancel, repeat. */
class JobRoutes<Services> {
  private readonly server: ServerOptions<Services>;
  private readonly jobTypes: JobTypes<Services>;
  private readonly streams: OpenStreams;

  constructor({ server, jobTypes, streams }: JobRoutesOptions<Services>) {
    this.server = server;
    this.jobTypes = jobTypes;
    this.streams = streams;
  }

  private async view(id: JobId): Promise<JobView> {
    const view = await this.server.jobs.get(id);
    if (view === undefined) throw new KlusterError('job_not_found', `There is no job ${String(id)}`);
    return view;
  }

  private json(view: JobView): JobJson {
    return jobJson(view, attachmentOf(view, this.jobTypes, this.server.logger));
  }

  private async accepted(id: JobId, reply: FastifyReply): Promise<JobJson> {
    reply.code(202).header('location', `/api/v1/jobs/${String(id)}`);
    return this.json(await this.view(id));
  }

  async submit(
    request: FastifyRequest<{ Body: Type.Static<typeof schemas.jobRequest> }>,
    reply: FastifyReply,
  ): Promise<JobJson | AnswerJson> {
    const { job_type: jobType, user_name: userName } = request.body;
    // The framework has parsed the body from JSON.
    const body = request.body as Json & { readonly paras?: Json };
    requireLeader(this.server.leadership, `take the job ${jobType}`);
    const definition = this.jobTypes.find(jobType);
    if (definition.kind === 'immediate') {
      const attachment = await answerImmediately(definition.job, {
        services: this.server.services,
        paras: body.paras,
        gone: callerGone(reply),
      });
      return { job_type: definition.job.jobType, status: 'done', attachment };
    }
    const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
    const id = await this.server.jobs.submit({
      jobType: definition.mission.jobType,
      paras: body.paras,
      request: body,
      userName: checkedUserName(userName ?? request.userName),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    logAccepted(request, { id, jobType: definition.mission.jobType });
    return this.accepted(id, reply);
  }

  async list(
    request: FastifyRequest<{ Querystring: Type.Static<typeof schemas.jobListQuery> }>,
  ): Promise<JobListJson> {
    const { limit, before, status, job_type: jobType, lock } = request.query;
    const views = await this.server.jobs.list({
      limit,
      ...(before === undefined ? {} : { before: jobId(before) }),
      ...(status === undefined ? {} : { status }),
      ...(jobType === undefined ? {} : { jobType }),
      ...(lock === undefined ? {} : { lock }),
    });
    const last = views.at(-1);
    return {
      jobs: views.map(jobSummaryJson),
      next_before: last === undefined || views.length < limit ? null : last.id,
    };
  }

  async one(request: FastifyRequest<{ Params: IdParams }>): Promise<JobJson> {
    return this.json(await this.view(jobId(request.params.id)));
  }

  async cancel(request: FastifyRequest<{ Params: IdParams }>, reply: FastifyReply): Promise<JobJson> {
    requireLeader(this.server.leadership, 'cancel a job');
    const id = jobId(request.params.id);
    await this.server.jobs.cancel(id);
    return this.accepted(id, reply);
  }

  async retry(request: FastifyRequest<{ Params: IdParams }>, reply: FastifyReply): Promise<JobJson> {
    requireLeader(this.server.leadership, 'submit a job again');
    return this.accepted(await this.server.jobs.retry(jobId(request.params.id)), reply);
  }

  /** The last event, `end`, carries the whole job, so that a watcher needs no further request. */
  private async *sse(id: JobId, after: number, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
    let last = after;
    for await (const event of this.server.jobs.events(id, { after, signal })) {
      last = event.sequence;
      yield { id: last, event: event.type, data: JSON.stringify(jobEventJson(event)) };
    }
    if (signal.aborted) return;
    const job = this.json(await this.view(id));
    const data = JSON.stringify({ sequence: last, at: job.ended_at, type: 'end', job });
    yield { id: last, event: 'end', data };
  }

  async events(request: FastifyRequest<{ Params: IdParams }>, reply: FastifyReply): Promise<FastifyReply> {
    const id = jobId(request.params.id);
    const lastEventId = request.headers['last-event-id'];
    const after = typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : 0;
    await this.view(id);
    reply.hijack();
    try {
      const signal = this.streams.signalFor(reply.raw);
      await streamEvents(reply.raw, this.sse(id, after, signal), signal);
    } catch (thrown) {
      logFailure(request, restError(thrown));
    }
    return reply;
  }
}

const tags = ['jobs'];
const errors = schemas.errorResponses;

export function addJobRoutes<Services>(app: FastifyInstance, options: JobRoutesOptions<Services>): void {
  const routes = new JobRoutes(options);
  const { idParams: params, job } = schemas;
  app.post<{ Body: Type.Static<typeof schemas.jobRequest> }>(
    '/jobs',
    {
      schema: {
        tags,
        summary: 'Submit a job, or have a query answered',
        description:
          'Job types that take time answer 202 with the job; the others 200 with their attachment.',
        headers: Type.Object({ 'idempotency-key': Type.Optional(Type.String({ maxLength: 128 })) }),
        body: schemas.jobRequest,
        response: { 200: schemas.answer, 202: job, ...errors },
      },
    },
    (request, reply) => routes.submit(request, reply),
  );
  app.get<{ Querystring: Type.Static<typeof schemas.jobListQuery> }>(
    '/jobs',
    {
      schema: {
        tags,
        summary: 'List jobs, newest first',
        querystring: schemas.jobListQuery,
        response: { 200: schemas.jobList, ...errors },
      },
    },
    (request) => routes.list(request),
  );
  app.get<{ Params: IdParams }>(
    '/jobs/:id',
    { schema: { tags, summary: 'One job with its steps', params, response: { 200: job, ...errors } } },
    (request) => routes.one(request),
  );
  app.post<{ Params: IdParams }>(
    '/jobs/:id/cancel',
    {
      schema: {
        tags,
        summary: 'Cancel a job and undo what it did',
        params,
        response: { 202: job, ...errors },
      },
    },
    (request, reply) => routes.cancel(request, reply),
  );
  app.post<{ Params: IdParams }>(
    '/jobs/:id/retry',
    { schema: { tags, summary: 'Submit a failed job again', params, response: { 202: job, ...errors } } },
    (request, reply) => routes.retry(request, reply),
  );
  app.get<{ Params: IdParams }>(
    '/jobs/:id/events',
    {
      schema: {
        tags,
        summary:
          'Watch a job: server-sent events, from the first or from Last-Event-ID on, until it has ended',
        params,
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String()) }),
        produces: ['text/event-stream'],
        response: errors,
      },
    },
    (request, reply) => routes.events(request, reply),
  );
}
