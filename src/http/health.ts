import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { errorText } from '../core/errors/kluster-error.ts';
import type { ServerOptions } from './options.ts';

export const healthPath = '/healthz';

/** Milliseconds. */
const probeDeadlineMs = 1000;

const health = Type.Object({
  status: Type.Unsafe<string>({ type: 'string', enum: ['ok', 'unavailable'] }),
  leader: Type.Boolean(),
  metadata: Type.Unsafe<string>({ type: 'string', enum: ['ok', 'unreachable'] }),
});

/** 200 while the metadata database answers, else 503. Needs no credentials and tells nothing else. */
export function addHealth<Services>(app: FastifyInstance, server: ServerOptions<Services>): void {
  app.get(
    healthPath,
    {
      schema: {
        tags: ['operation'],
        summary: 'Health',
        security: [],
        response: { 200: health, 503: health },
      },
    },
    async (request, reply) => {
      const leader = server.leadership.isLeader();
      try {
        await server.probeMetadata(AbortSignal.timeout(probeDeadlineMs));
        return { status: 'ok', leader, metadata: 'ok' };
      } catch (error) {
        request.log.warn(
          { reason: errorText(error) },
          'the metadata database does not answer the health check',
        );
        reply.code(503);
        return { status: 'unavailable', leader, metadata: 'unreachable' };
      }
    },
  );
}
