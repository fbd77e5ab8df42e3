import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { pino } from 'pino';
import Type from 'typebox';
import { integer } from '../../src/core/parameters/fields.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createServer } from '../../src/http/server.ts';
import { JobEngine } from '../../src/jobs/engine.ts';
import { defineMission, type AnyMission } from '../../src/jobs/mission.ts';
import { serial } from '../../src/jobs/plan.ts';
import { startMetadataServer } from '../../test/support/metadata-server.ts';
import { hostaddr, type CpuReading, type ServerReady } from './protocol.ts';

/**
 * One process with two servers: the manager's interface over the real job engine and a real metadata server, and a
 * bare Fastify route that parses the same request and answers a constant.
 */

/** What a console reads of a cluster with two shards. */
function clusterAttachment(): JsonObject {
  const shard = (name: string): JsonObject => ({
    cluster_id: '7',
    shard_ids: [{ [name]: '9' }],
    shard_hosts: [{ [name]: '10.0.0.1_57001;10.0.0.2_57001;10.0.0.3_57001;' }],
    storage_state: 'done',
    error_code: 0,
    error_info: 'OK',
  });
  return {
    cluster_id: '7',
    cluster_name: 'cluster_1435749309_000007',
    job_steps: 'shard,computer',
    shard_step: [shard('shard_1'), shard('shard_2')],
    computer_step: [{ computer_hosts: '10.0.0.1_47001;', computer_state: 'done', error_code: 0 }],
    storage_state: 'done',
    computer_state: 'done',
  };
}

const mission: AnyMission<undefined> = defineMission<undefined>()({
  jobType: 'create_sample',
  aliases: [],
  summary: 'A job of one step that does nothing',
  paras: Type.Object({
    shards: integer({ description: 'any number', codes: { invalid: 70_072 }, minimum: 1, maximum: 256 }),
  }),
  prepared: Type.Object({}),
  example: { shards: '1' },
  doneText: 'OK',
  admit: async () => ({ admitted: true, locks: [] }),
  prepare: async () => ({}),
  plan: () =>
    serial('sample', 'a sample', [
      { kind: 'step', key: 'nothing', title: 'do nothing', deadlineMs: 1000, run: async () => ({}) },
    ]),
  attachment: clusterAttachment,
});

async function bareServer(reply: string): Promise<number> {
  const app = Fastify({ logger: false });
  app.post('/constant', async (_request, response) =>
    response.header('content-type', 'application/json').send(reply),
  );
  await app.listen({ host: hostaddr, port: 0 });
  return (app.server.address() as AddressInfo).port;
}

const metadata = await startMetadataServer();
const database = await metadata.database({ connectionLimit: 8 });
// As verbose as a manager, into nothing.
const logger = pino({ level: 'info' }, pino.destination('/dev/null'));
const jobs = new JobEngine<undefined>({
  database,
  services: undefined,
  missions: [mission],
  secret: 'a secret for a benchmark',
  logger: pino({ level: 'silent' }),
});
await jobs.start();
const app = await createServer<undefined>({
  jobs,
  missions: [mission],
  immediateJobs: [],
  services: undefined,
  config: { access: { bind: hostaddr } },
  logger,
  leadership: { isLeader: () => true },
  topology: {
    machines: async () => [],
    clusters: async () => [],
    cluster: async () => Promise.reject(new Error('the benchmark has no clusters')),
    status: async () => ({ metadata: { mode: 'no_rep', nodes: [] }, machines: [], clusters: [] }),
  },
  probeMetadata: async () => undefined,
  countJobs: async () => [],
  agents: { secret: 'a secret for a benchmark', register: async () => undefined },
});
await app.listen({ host: hostaddr, port: 0 });

const jobId = await jobs.submit({
  jobType: 'create_sample',
  paras: { shards: 1 },
  request: {},
  userName: 'bench',
});
for await (const _event of jobs.events(jobId, { signal: AbortSignal.timeout(10_000) }));
const status = await app.inject({
  method: 'POST',
  url: '/HttpService/Emit',
  payload: JSON.stringify({ job_type: 'get_status', job_id: String(jobId) }),
});
const ready: ServerReady = {
  constantPort: await bareServer(status.body),
  managerPort: (app.server.address() as AddressInfo).port,
  jobId,
};

async function close(): Promise<void> {
  await app.close();
  await jobs.stop();
  await metadata.stop();
  process.exit(0);
}

process.on('message', (message) => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    const reading: CpuReading = { cpuMicros: user + system };
    process.send?.(reading);
  } else {
    void close();
  }
});
process.on('disconnect', () => void close());
process.send?.(ready);
