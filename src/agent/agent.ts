import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { pino, type Logger } from 'pino';
import { defaultAgentPort } from '../core/agent-protocol.ts';
import { KlusterError, errorText, toKlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { requireSignatures } from './authentication.ts';
import type { CgroupDriver } from './cgroup/driver.ts';
import { EpochGuard } from './epoch-guard.ts';
import { EventStreams } from './event-stream.ts';
import { Instances } from './instances.ts';
import { addRoutes } from './routes.ts';

export interface AgentOptions {
  /** The address that the agent and all its engines listen on. */
  readonly hostaddr: string;
  /** Default 35002; 0: any free one. */
  readonly port?: number;
  readonly stateDirectory: string;
  /** Holds the installation's secret; whitespace around it does not count. */
  readonly secretFile: string;
  readonly templateDirectory?: string;
  readonly mysqlDirectory?: string;
  readonly postgresDirectory?: string;
  /** Default: found out; null: none. */
  readonly cgroup?: CgroupDriver | null;
  readonly logger?: Logger;
  /** The version of Kluster, as /v1/health tells it. */
  readonly version?: string;
}

export interface Agent {
  readonly address: HostPort;
  /** Stops serving and supervising; engines live on. */
  close(): Promise<void>;
}

const bodyLimitBytes = 256 * 1024;
const leastSecretLength = 16;

async function readSecret(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new KlusterError('internal', `The secret cannot be read: ${errorText(error)}`, { cause: error });
  });
  const secret = text.trim();
  if (secret.length >= leastSecretLength) return secret;
  const least = String(leastSecretLength);
  throw new KlusterError('internal', `The secret in ${path} has fewer than ${least} characters`);
}

/** Everything thrown in a request, as the protocol's error. */
function answerErrors(server: FastifyInstance, logger: Logger): void {
  server.setErrorHandler(async (thrown: FastifyError | Error, request, reply) => {
    const error = describeThrown(thrown);
    const { kind, code, message, hint, status } = error;
    const level = status >= 500 ? 'error' : 'warn';
    logger[level](
      { method: request.method, url: request.url, kind, reason: errorText(thrown) },
      'request failed',
    );
    return reply.status(status).send({ error: { kind, code, message, hint } });
  });
  server.setNotFoundHandler((request) => {
    throw new KlusterError('bad_request', `The agent knows no ${request.method} ${request.url}`);
  });
}

/** Fastify's own refusals (too large, wrong content type) carry an HTTP status below 500. */
function describeThrown(thrown: FastifyError | Error): KlusterError {
  if (thrown instanceof KlusterError) return thrown;
  const status = 'statusCode' in thrown ? thrown.statusCode : undefined;
  if (status === 413) return new KlusterError('body_too_large', thrown.message, { cause: thrown });
  if (status !== undefined && status < 500)
    return new KlusterError('bad_request', thrown.message, { cause: thrown });
  return toKlusterError(thrown);
}

/**
 * Starts the agent of this machine: takes up its instances, then serves the protocol of `src/core/agent-protocol.ts`.
 * @throws KlusterError port_busy, internal (state directory in use, secret unreadable)
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { hostaddr, stateDirectory } = options;
  const logger = options.logger ?? pino({ level: 'silent' });
  const secret = await readSecret(options.secretFile);
  const instances = await Instances.open({ ...options, secret, logger });
  for (const reason of instances.engines.missing) logger.warn({ reason }, 'an engine is missing');
  const streams = new EventStreams(instances);
  const server = fastify({ bodyLimit: bodyLimitBytes, forceCloseConnections: true });
  const release = async (): Promise<void> => {
    streams.close();
    await server.close();
    await instances.close();
  };
  let address: HostPort = { hostaddr, port: options.port ?? defaultAgentPort };
  try {
    const epochs = await EpochGuard.open(join(stateDirectory, 'epoch'));
    answerErrors(server, logger);
    requireSignatures(server, { secret, epochs, target: () => colonAddress(address) });
    const { version = 'unknown' } = options;
    addRoutes(server, { instances, streams, hostaddr, version, startedAt: new Date(), stateDirectory });
    address = { hostaddr, port: await listen(server, address) };
  } catch (error) {
    await release();
    throw error;
  }
  logger.info({ address: colonAddress(address) }, 'agent serves');
  return { address, close: release };
}

async function listen(server: FastifyInstance, { hostaddr, port }: HostPort): Promise<number> {
  try {
    await server.listen({ host: hostaddr, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    throw new KlusterError('port_busy', `The agent's address ${hostaddr}:${String(port)} is taken`, {
      cause: error,
    });
  }
  const bound = server.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}
