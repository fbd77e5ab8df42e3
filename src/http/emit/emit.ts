import type { FastifyReply, FastifyRequest } from 'fastify';
import { KlusterError, toKlusterError } from '../../core/errors/kluster-error.ts';
import { answerImmediately } from '../immediate.ts';
import { callerGone } from '../caller-gone.ts';
import { parseJsonBody } from '../json-body.ts';
import type { JobTypes } from '../job-types.ts';
import { requireLeader } from '../leadership.ts';
import { logAccepted, logFailure } from '../request-log.ts';
import type { ServerOptions } from '../options.ts';
import { idempotencyKeyOf, parseEnvelope, type Envelope } from './envelope.ts';
import { readBody } from './read-body.ts';
import { acceptReply, failedReply, fullReply, type ReplyContext } from './replies.ts';
import { StatusReplies } from './status-reply.ts';

export const emitPath = '/HttpService/Emit';

const noContext: ReplyContext = { jobId: '', jobType: '' };

function sendReply(reply: FastifyReply, text: string): void {
  reply.code(200).header('content-type', 'application/json; charset=utf-8').send(text);
}

/** An error before or around the handling of a request: HTTP 200 all the same, as clients expect. */
export function sendFailure(request: FastifyRequest, reply: FastifyReply, thrown: unknown): void {
  const error = toKlusterError(thrown);
  logFailure(request, error);
  sendReply(reply, failedReply(error, noContext));
}

/** `POST /HttpService/Emit`: every job type of the published API, by job_type. */
export class Emit<Services> {
  private readonly options: ServerOptions<Services>;
  private readonly jobTypes: JobTypes<Services>;
  private readonly statusReplies: StatusReplies<Services>;

  constructor(options: ServerOptions<Services>, jobTypes: JobTypes<Services>) {
    this.options = options;
    this.jobTypes = jobTypes;
    this.statusReplies = new StatusReplies(options, jobTypes);
  }

  /**
   * The route's onRequest hook: it reads the body itself, because Fastify would refuse bodies by their content type,
   * and clients send any.
   */
  async handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    let context = noContext;
    try {
      if (request.method !== 'POST') {
        throw new KlusterError('bad_request', `${emitPath} takes POST, not ${request.method}`);
      }
      const envelope = parseEnvelope(parseJsonBody(await readBody(request.raw)));
      context = { jobId: '', jobType: envelope.jobType };
      requireLeader(this.options.leadership, `answer ${envelope.jobType}`);
      sendReply(reply, await this.answer(envelope, request, reply));
    } catch (thrown) {
      const error = toKlusterError(thrown);
      logFailure(request, error);
      if (request.raw.destroyed && !request.raw.complete) reply.header('connection', 'close');
      sendReply(reply, failedReply(error, context));
    }
    return reply;
  }

  private async answer(envelope: Envelope, request: FastifyRequest, reply: FastifyReply): Promise<string> {
    if (envelope.jobType === 'get_status') return this.statusReplies.reply(envelope.jobId);
    const definition = this.jobTypes.find(envelope.jobType);
    if (definition.kind === 'immediate') {
      const attachment = await answerImmediately(definition.job, {
        services: this.options.services,
        paras: envelope.paras,
        gone: callerGone(reply),
      });
      const { jobType } = definition.job;
      return fullReply({ attachment, errorCode: '0', errorInfo: '', jobId: '', jobType, status: 'done' });
    }
    const idempotencyKey = idempotencyKeyOf(request.headers['idempotency-key']);
    const id = await this.options.jobs.submit({
      jobType: definition.mission.jobType,
      paras: envelope.paras,
      request: envelope.request,
      userName: envelope.userName === '' ? request.userName : envelope.userName,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    logAccepted(request, { id, jobType: definition.mission.jobType });
    return acceptReply(String(id));
  }
}
