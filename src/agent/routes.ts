import type { FastifyInstance } from 'fastify';
import type { Health, InstanceSpec, MachineStats } from '../core/agent-protocol.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { instanceId, type InstanceId } from '../core/ids.ts';
import {
  CpuLimitRequest,
  FormerSettingBody,
  RestartBody,
  SaveTransactionsBody,
  StopBody,
  parseBody,
  parsePaths,
  parsePortCheck,
  parseTargets,
} from './bodies.ts';
import type { EventStreams } from './event-stream.ts';
import type { Instances } from './instances.ts';
import { CpuMeter, readMemory } from './machine-load.ts';
import { pathSpace, preparedPathSpaces } from './path-space.ts';
import { busyPorts } from './ports.ts';
import { reached } from './reach.ts';

export interface RouteOptions {
  readonly instances: Instances;
  readonly streams: EventStreams;
  readonly hostaddr: string;
  readonly version: string;
  readonly startedAt: Date;
  readonly stateDirectory: string;
}

interface WithId {
  Params: { id: string };
}

function idOf(params: WithId['Params']): InstanceId {
  try {
    return instanceId(params.id);
  } catch (error) {
    throw new KlusterError('bad_request', errorText(error), { cause: error });
  }
}

/** The base directories of all instances, and the agent's own. */
function directoriesInUse(specs: readonly InstanceSpec[], stateDirectory: string): readonly string[] {
  const ofInstances = specs.flatMap((spec) =>
    spec.engine === 'mysql' ? [spec.datadir, spec.logdir, spec.walLogDir] : [spec.datadir],
  );
  return [...new Set([stateDirectory, ...ofInstances])];
}

function instanceRoutes(server: FastifyInstance, { instances }: RouteOptions): void {
  server.get('/v1/instances', () => ({ instances: instances.list() }));
  server.get<WithId>('/v1/instances/:id', ({ params }) => instances.get(idOf(params)));
  server.put<WithId & { Body: InstanceSpec }>('/v1/instances/:id', async ({ params, body }) =>
    // The body is checked inside, as for callers within this process.
    instances.create(idOf(params), body),
  );
  server.post<WithId>('/v1/instances/:id/start', async ({ params }) => instances.start(idOf(params)));
  server.post<WithId>('/v1/instances/:id/stop', async ({ params, body }) =>
    instances.stop(idOf(params), parseBody(StopBody, body).mode),
  );
  server.post<WithId>('/v1/instances/:id/restart', async ({ params, body }) => {
    const { operationKey, mode } = parseBody(RestartBody, body);
    return instances.restart(idOf(params), operationKey, mode);
  });
  server.post<WithId>('/v1/instances/:id/remake', async ({ params, body }) =>
    instances.remake(idOf(params), parseBody(RestartBody, body).operationKey),
  );
  server.post<WithId>('/v1/instances/:id/save-transactions', async ({ params, body }) =>
    instances.saveTransactions(idOf(params), parseBody(SaveTransactionsBody, body)),
  );
  server.post<WithId>('/v1/instances/:id/restore-setting', async ({ params, body }) => {
    await instances.restoreSetting(idOf(params), parseBody(FormerSettingBody, body));
    return {};
  });
  server.put<WithId>('/v1/instances/:id/cpu-limit', async ({ params, body }) => ({
    limit: await instances.setCpuLimit(idOf(params), parseBody(CpuLimitRequest, body).limit),
  }));
  server.delete<WithId>('/v1/instances/:id', async ({ params }) => {
    await instances.remove(idOf(params));
    return {};
  });
}

function machineRoutes(server: FastifyInstance, options: RouteOptions): void {
  const { instances, streams, hostaddr, version, startedAt, stateDirectory } = options;
  const meter = new CpuMeter();

  server.get('/v1/health', (): Health => ({
    hostaddr,
    pid: process.pid,
    version,
    startedAt: startedAt.toISOString(),
    engines: instances.engines.versions,
    cgroup: instances.cgroup?.version ?? 'none',
  }));
  server.get('/v1/stats', async (): Promise<MachineStats> => {
    const directories = directoriesInUse(instances.specs(), stateDirectory);
    return {
      ...(await readMemory()),
      cpuCores: meter.cores,
      cpuBusy: meter.read(),
      paths: await Promise.all(directories.map((path) => pathSpace(path))),
    };
  });
  server.post('/v1/ports/check', async ({ body }) => {
    const check = parsePortCheck(body);
    return { busy: await busyPorts(check.hostaddr, check.ports) };
  });
  server.post('/v1/reach', async ({ body }) => ({ reached: await reached(hostaddr, parseTargets(body)) }));
  server.post('/v1/paths/space', async ({ body }) => ({
    spaces: await preparedPathSpaces(parsePaths(body)),
  }));
  server.post('/v1/paths/strays', async ({ body }) => instances.strays(parsePaths(body)));
  server.get('/v1/events', (_request, reply) => {
    reply.hijack();
    streams.add(reply.raw);
  });
}

/** The verbs of `src/core/agent-protocol.ts`. */
export function addRoutes(server: FastifyInstance, options: RouteOptions): void {
  instanceRoutes(server, options);
  machineRoutes(server, options);
}
