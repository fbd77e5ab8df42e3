import type { FastifyInstance, FastifyRequest } from 'fastify';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { verifyRequest } from '../core/request-signature.ts';
import type { EpochGuard } from './epoch-guard.ts';
import { NonceMemory } from './nonce-memory.ts';

export interface AuthenticationOptions {
  readonly secret: string;
  readonly epochs: EpochGuard;
  /** `address:port` of this agent, known when it listens. */
  target(): string;
}

const openPaths = new Set(['/v1/health']);

function unauthorized(request: FastifyRequest, reason: string): KlusterError {
  return new KlusterError('unauthorized', `${request.method} ${request.url} was refused: ${reason}`);
}

/**
 * Every request but /v1/health must be signed with the installation's secret, unrepeated, and of the present epoch.
 * Bodies stay bytes until their signature is checked; nothing unsigned is parsed.
 */
export function requireSignatures(server: FastifyInstance, options: AuthenticationOptions): void {
  const nonces = new NonceMemory();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });

  server.addHook('preValidation', async (request, reply) => {
    if (openPaths.has(request.url)) return;
    const { method, url, headers } = request;
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const now = Date.now();
    const target = options.target();
    const verified = verifyRequest(options.secret, { method, path: url, target, body }, headers, now);
    if (!verified.ok) {
      reply.headers(verified.clock ?? {});
      throw unauthorized(request, verified.reason);
    }
    if (!nonces.use(verified.nonce, verified.expiresAt, now)) {
      throw unauthorized(request, 'it was received before');
    }
    await options.epochs.admit(verified.epoch);
    request.body = body.length === 0 ? undefined : parseJson(body);
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new KlusterError('bad_request', `The body is not JSON: ${errorText(error)}`, { cause: error });
  }
}
