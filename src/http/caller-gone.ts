import type { FastifyReply } from 'fastify';
import { sharedAbort } from '../core/shared-abort.ts';

/** Aborted when the connection closes before the reply was sent. */
export function callerGone(reply: FastifyReply): AbortSignal {
  const controller = sharedAbort();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the caller closed the connection'));
  });
  return controller.signal;
}
