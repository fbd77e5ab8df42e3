import swagger from '@fastify/swagger';
import Fastify, {
  LogController,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { accessControl, checkAccess } from './access.ts';
import { Emit, emitPath, sendFailure } from './emit/emit.ts';
import { addHealth, healthPath } from './health.ts';
import { JobTypes } from './job-types.ts';
import { bodyLimit, parseJsonBody } from './json-body.ts';
import { addMetrics } from './metrics.ts';
import { completeDocument } from './openapi.ts';
import type { ServerOptions } from './options.ts';
import { originGuard } from './origin-guard.ts';
import { addAgentRoutes } from './rest/agents.ts';
import { OpenStreams } from './rest/event-stream.ts';
import { addJobRoutes } from './rest/jobs.ts';
import { sendProblem } from './rest/problem.ts';
import { addTopologyRoutes } from './rest/topology.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token. */
    readonly public?: boolean;
  }
  interface FastifyRequest {
    /** The body as it came, for signatures. */
    rawBody: Buffer | null;
  }
}

const openApiPath = '/api/openapi.json';
/** Milliseconds for the whole of a request to arrive: a slow sender may not hold a connection for ever. */
const requestTimeoutMs = 60_000;
const defaultCloseDeadlineMs = 5000;

function isEmit(request: FastifyRequest): boolean {
  const [path = ''] = request.url.split('?', 1);
  return path.replace(/\/$/, '') === emitPath;
}

/** Emit answers its own way, whatever goes wrong; the rest answers problem+json. */
function addErrorHandling(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    if (isEmit(request)) sendFailure(request, reply, error);
    else sendProblem(request, reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?', 1);
    const error = new KlusterError('no_such_resource', `There is no ${request.method} ${path}`);
    if (isEmit(request)) sendFailure(request, reply, error);
    else sendProblem(request, reply, error);
  });
}

function addAccessChecks<Services>(app: FastifyInstance, options: ServerOptions<Services>): void {
  const { access } = options.config;
  const control = accessControl(access);
  const checkOrigin = originGuard({ names: access.names ?? [], checkHost: !control.required });
  app.decorateRequest('failureLogged', false);
  app.decorateRequest('userName', '');
  app.decorateRequest('rawBody', null);
  app.addHook('onRequest', (request, _reply, done) => {
    checkOrigin(request.headers);
    const open = request.routeOptions.config.public === true || request.routeOptions.url === healthPath;
    if (!open) request.userName = control.userOf(request.headers.authorization);
    done();
  });
}

/** One parser for every JSON body of the REST interface: the same limits and messages as Emit. */
function addJsonParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    request.rawBody = bytes;
    try {
      done(null, bytes.length === 0 ? undefined : parseJsonBody(bytes));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function addOpenApi<Services>(app: FastifyInstance, jobTypes: JobTypes<Services>): void {
  let document: string | undefined;
  app.get(openApiPath, { schema: { hide: true } }, async (_request, reply) => {
    document ??= JSON.stringify(completeDocument(app.swagger(), jobTypes));
    return reply.header('content-type', 'application/json; charset=utf-8').send(document);
  });
}

/** Lets streams end and requests finish; what has not finished at the deadline is cut off. */
function addGracefulClose<Services>(app: FastifyInstance, options: ServerOptions<Services>): OpenStreams {
  const streams = new OpenStreams();
  const deadlineMs = options.config.closeDeadlineMs ?? defaultCloseDeadlineMs;
  let timer: NodeJS.Timeout | undefined;
  app.addHook('preClose', (done) => {
    streams.end();
    timer = setTimeout(() => app.server.closeAllConnections(), deadlineMs);
    done();
  });
  app.addHook('onClose', (_instance, done) => {
    clearTimeout(timer);
    done();
  });
  return streams;
}

/**
 * The manager's HTTP interface, not yet listening: Emit, REST /api/v1, OpenAPI, metrics, health.
 * @throws KlusterError `configuration` when it would be open to others without their being asked who they are.
 */
export async function createServer<Services>(options: ServerOptions<Services>): Promise<FastifyInstance> {
  checkAccess(options.config.access);
  const jobTypes = new JobTypes(options.missions, options.immediateJobs);
  const app: FastifyInstance = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    routerOptions: { ignoreTrailingSlash: true },
    ajv: { customOptions: { allErrors: true } },
  });
  app.setSerializerCompiler(() => (value: unknown) => JSON.stringify(value));
  addAccessChecks(app, options);
  addErrorHandling(app);
  addJsonParser(app);
  await app.register(swagger, {
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Kluster manager',
        version: '1.0',
        description:
          'Creates distributed SQL clusters on stock MySQL and PostgreSQL, and keeps them running.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  const streams = addGracefulClose(app, options);
  const emit = new Emit(options, jobTypes);
  await app.register(async (scope) => {
    addMetrics(scope, options);
    scope.all(
      emitPath,
      { schema: { hide: true }, onRequest: (request, reply) => emit.handle(request, reply) },
      (_request: FastifyRequest, reply: FastifyReply) => reply,
    );
    addHealth(scope, options);
    addOpenApi(scope, jobTypes);
    await scope.register(
      async (rest) => {
        addJobRoutes(rest, { server: options, jobTypes, streams });
        addTopologyRoutes(rest, options);
        addAgentRoutes(rest, options);
      },
      { prefix: '/api/v1' },
    );
  });
  return app;
}
