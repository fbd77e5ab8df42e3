import type { FastifyRequest } from 'fastify';
import { errorText, type KlusterError } from '../core/errors/kluster-error.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set when the request was refused or failed, so that it is logged once. */
    failureLogged: boolean;
    /** Name of the token that the request carries; empty when none is required. */
    userName: string;
  }
}

/** Options for the process's logger: what must never be written, should anybody log a request or its parameters. */
export const logRedaction = {
  paths: [
    'authorization',
    'headers.authorization',
    'req.headers.authorization',
    '*.password',
    '*.computer_password',
    '*.computer_pwd',
    '*.passwd',
    '*.token',
    '*.secret',
    '*.backup_encrypt_key',
  ],
  censor: '********',
};

/**
 * One line for each failed request. Headers, query and body are not logged: the message says what was wrong, and
 * messages never contain secrets.
 */
export function logFailure(request: FastifyRequest, error: KlusterError): void {
  if (request.failureLogged) return;
  request.failureLogged = true;
  const [path] = request.url.split('?', 1);
  const line = { method: request.method, path, kind: error.kind, code: error.code, reason: errorText(error) };
  if (error.status === 500) request.log.error({ ...line, stack: error.stack }, 'request failed');
  else request.log.warn(line, 'request refused');
}

/** Who caused which job: the one thing that is logged of a request that went well. */
export function logAccepted(
  request: FastifyRequest,
  job: { readonly id: number; readonly jobType: string },
): void {
  const { userName: token, ip } = request;
  request.log.info(
    { job: job.id, jobType: job.jobType, ...(token === '' ? {} : { token }), from: ip },
    'job accepted',
  );
}
