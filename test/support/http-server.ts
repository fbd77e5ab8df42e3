import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import Type from 'typebox';
import { flag, integer, text } from '../../src/core/parameters/fields.ts';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import { defineImmediateJob, type ImmediateJob } from '../../src/jobs/immediate.ts';
import { defineMission, type AnyMission } from '../../src/jobs/mission.ts';
import { serial } from '../../src/jobs/plan.ts';
import { logRedaction } from '../../src/http/request-log.ts';
import type { ServerOptions } from '../../src/http/options.ts';
import { createServer } from '../../src/http/server.ts';
import { JobStub } from './job-stub.ts';

const field = (description: string, invalid: number) => ({ description, codes: { invalid } });

/** A mission that is never carried out here: it gives the interface something to validate and to describe. */
export const sampleMission: AnyMission<unknown> = defineMission<unknown>()({
  jobType: 'create_sample',
  aliases: ['sample_create'],
  summary: 'Create a sample',
  paras: Type.Object({
    shards: integer({ ...field('number of shards', 70_072), minimum: 1, maximum: 256 }),
    nick_name: Type.Optional(text({ ...field('name for people', 70_501), maxLength: 20 })),
    small: Type.Optional(flag(field('small', 70_099))),
    computer_password: Type.Optional(
      text({ ...field('password', 70_098), minLength: 8, maxLength: 64, secret: true }),
    ),
  }),
  prepared: Type.Object({}),
  example: { shards: '2', nick_name: 'sample' },
  doneText: 'create sample successfully',
  admit: async () => ({ admitted: true, locks: [] }),
  prepare: async () => ({}),
  plan: () => serial('root', 'create a sample', []),
  attachment: (view) => {
    if (view.paras['nick_name'] === 'bad report') throw new TypeError('a defect of the report');
    return view.status === 'not_started' ? null : { state: view.status, child: { error_code: 0 } };
  },
});

export const sampleQuery: ImmediateJob<unknown> = defineImmediateJob<unknown>()({
  jobType: 'get_sample',
  aliases: [],
  summary: 'Tell about a sample',
  paras: Type.Object({ name: Type.Optional(text({ ...field('name', 70_097), maxLength: 20 })) }),
  example: { name: 'one' },
  changes: false,
  async answer(_services, paras) {
    const { name } = paras as { readonly name?: string };
    if (name === 'broken') throw new TypeError('a fault of our own');
    return name === undefined ? null : { name, z: 1, a: [true] };
  },
});

export interface TestServer {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly port: number;
  readonly jobs: JobStub;
  readonly log: () => string;
  leader: boolean;
  metadataUp: boolean;
  readonly registered: { hostaddr: string; port: number }[];
  close(): Promise<void>;
}

export const agentSecret = 'the secret of a test installation';

/** The real server over jobs in memory, listening on a port of its own. */
export async function startTestServer(change: Partial<ServerOptions<unknown>> = {}): Promise<TestServer> {
  const lines: string[] = [];
  const jobs = new JobStub([sampleMission]);
  const registered: { hostaddr: string; port: number }[] = [];
  const state = { leader: true, metadataUp: true };
  const app = await createServer<unknown>({
    jobs,
    missions: [sampleMission],
    immediateJobs: [sampleQuery],
    services: {},
    config: { access: { bind: '127.0.5.1' }, closeDeadlineMs: 500 },
    logger: pino({ redact: logRedaction }, { write: (line: string) => void lines.push(line) }),
    leadership: { isLeader: () => state.leader },
    topology: {
      machines: async () => [{ hostaddr: '10.0.0.1', roles: ['storage'], status: 'online' }],
      clusters: async () => [],
      cluster: async (name) => {
        throw new KlusterError('cluster_not_found', `There is no cluster ${name}`);
      },
      status: async () => ({ metadata: { mode: 'no_rep', nodes: [] }, machines: [], clusters: [] }),
    },
    probeMetadata: async () => {
      if (!state.metadataUp) throw new KlusterError('metadata', 'connection refused');
    },
    countJobs: async () => [{ jobType: 'create_sample', status: 'done', count: 3 }],
    agents: { secret: agentSecret, register: async (agent) => void registered.push(agent) },
    ...change,
  });
  await app.listen({ host: '127.0.5.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return {
    app,
    url: `http://127.0.5.1:${String(port)}`,
    port,
    jobs,
    log: () => lines.join(''),
    set leader(leader: boolean) {
      state.leader = leader;
    },
    set metadataUp(up: boolean) {
      state.metadataUp = up;
    },
    registered,
    close: () => app.close(),
  };
}
