import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import Type from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { textOrNull } from '../../../src/catalog/sql.ts';
import { ManagerClient, type JobEventJson } from '../../../src/client/index.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { integer, text } from '../../../src/core/parameters/fields.ts';
import { createServer } from '../../../src/http/server.ts';
import { JobEngine } from '../../../src/jobs/engine.ts';
import { defineMission, type AnyMission } from '../../../src/jobs/mission.ts';
import { serial } from '../../../src/jobs/plan.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

/** Gates that the steps of a job wait at, by its nick name. */
class Gates {
  private readonly opened = new Map<string, { readonly promise: Promise<void>; readonly open: () => void }>();

  gate(name: string): { readonly promise: Promise<void>; readonly open: () => void } {
    const known = this.opened.get(name);
    if (known !== undefined) return known;
    let open = (): void => undefined;
    const promise = new Promise<void>((resolve) => {
      open = resolve;
    });
    const gate = { promise, open };
    this.opened.set(name, gate);
    return gate;
  }
}

const codes = { invalid: 70_072 };
const mission: AnyMission<Gates> = defineMission<Gates>()({
  jobType: 'create_cluster',
  aliases: [],
  summary: 'Create nothing, but as slowly as the test likes',
  paras: Type.Object({
    shards: integer({ description: 'shards', codes, minimum: 1, maximum: 256 }),
    nick_name: text({ description: 'name', codes: { invalid: 70_501 }, maxLength: 40 }),
    computer_password: Type.Optional(
      text({ description: 'password', codes, minLength: 4, maxLength: 40, secret: true }),
    ),
  }),
  prepared: Type.Object({ nick_name: Type.String() }),
  example: { shards: '1', nick_name: 'x' },
  doneText: 'create cluster successfully',
  admit: async (_gates, { nick_name: name }) => ({
    admitted: true,
    locks: [`nick_name:${name.split('-')[0] ?? ''}`],
  }),
  prepare: async (_context, { nick_name }) => ({ nick_name }),
  plan: (_paras, { nick_name: name }) =>
    serial('create', 'create a cluster', [
      {
        kind: 'step',
        key: 'wait',
        title: `wait for ${name}`,
        deadlineMs: 30_000,
        async run({ services, signal }) {
          const aborted = new Promise<never>((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          });
          await Promise.race([services.gate(name).promise, aborted]);
          if (name.endsWith('-fails'))
            throw new KlusterError('storage_install_failed', `no disk for ${name}`);
          return { waited: true };
        },
      },
    ]),
  attachment: (view) => (view.prepared === undefined ? null : { cluster_name: view.paras['nick_name'] }),
});

let metadata: MetadataServer;
let database: MetadataDatabase;
let jobs: JobEngine<Gates>;
let close: () => Promise<void>;
let url: string;
let client: ManagerClient;
const gates = new Gates();

beforeAll(async () => {
  metadata = await startMetadataServer();
  database = await metadata.database();
  const logger = pino({ level: 'silent' });
  jobs = new JobEngine<Gates>({
    database,
    services: gates,
    missions: [mission],
    secret: 'a secret of a test',
    logger,
  });
  await jobs.start();
  const app = await createServer<Gates>({
    jobs,
    missions: [mission],
    immediateJobs: [],
    services: gates,
    config: { access: { bind: '127.0.5.1' } },
    logger,
    leadership: { isLeader: () => true },
    topology: {
      machines: async () => [],
      clusters: async () => [],
      cluster: async () => Promise.reject(new Error('not asked for')),
      status: async () => ({ metadata: { mode: 'no_rep', nodes: [] }, machines: [], clusters: [] }),
    },
    probeMetadata: async () => undefined,
    countJobs: async () => [],
    agents: { secret: 'a secret of a test', register: async () => undefined },
  });
  await app.listen({ host: '127.0.5.1', port: 0 });
  url = `http://127.0.5.1:${String((app.server.address() as AddressInfo).port)}`;
  client = new ManagerClient({ url });
  close = () => app.close();
});
afterAll(async () => {
  await close();
  await jobs.stop();
  await metadata.stop();
});

interface EmitReply {
  readonly attachment: Record<string, unknown> | null;
  readonly error_code: string;
  readonly error_info: string;
  readonly job_id: string;
  readonly job_type?: string;
  readonly status: string;
}

async function emit(request: object, headers: Record<string, string> = {}): Promise<EmitReply> {
  const response = await fetch(`${url}/HttpService/Emit`, {
    method: 'POST',
    body: JSON.stringify(request),
    headers,
  });
  return (await response.json()) as EmitReply;
}

const create = (name: string, more: object = {}): Promise<EmitReply> =>
  emit({
    version: '1.0',
    job_type: 'create_cluster',
    user_name: 'super_dba',
    paras: { shards: '1', nick_name: name },
    ...more,
  });
const status = (id: string): Promise<EmitReply> => emit({ job_type: 'get_status', job_id: id, paras: [] });

async function ended(id: string): Promise<EmitReply> {
  for await (const event of client.watch(Number(id))) if (event.type === 'end') break;
  return status(id);
}

describe('a job, from request to end', () => {
  it('is followed by get_status the way consoles do it, and by the table they read', async () => {
    const request = {
      version: '1.0',
      job_id: '',
      job_type: 'create_cluster',
      timestamp: '1435749309',
      user_name: 'super_dba',
      paras: { shards: '1', nick_name: 'one', computer_password: 'hunter2' },
    };
    const { job_id: id, ...accepted } = await emit(request);
    expect(accepted).toEqual({
      attachment: null,
      error_code: '0',
      error_info: '',
      status: 'accept',
      version: '1.0',
    });
    // From the very first look on it is never anything but ongoing.
    expect(await status(id)).toMatchObject({
      status: 'ongoing',
      error_code: '0',
      job_id: id,
      job_type: 'create_cluster',
    });
    await expect.poll(async () => (await status(id)).attachment).toMatchObject({ cluster_name: 'one' });
    gates.gate('one').open();
    expect(await ended(id)).toMatchObject({
      status: 'done',
      error_code: '0',
      error_info: 'create cluster successfully',
      attachment: { cluster_name: 'one', progress: 100 },
    });
    const [row] = await database.read((sql) =>
      sql.rows(
        'SELECT job_info, status, user_name FROM cluster_general_job_log WHERE id = ?',
        [Number(id)],
        (found) => ({
          info: textOrNull(found, 'job_info'),
          status: textOrNull(found, 'status'),
          user: textOrNull(found, 'user_name'),
        }),
      ),
    );
    expect(row).toMatchObject({ status: 'done', user: 'super_dba' });
    expect(JSON.parse(row?.info ?? '')).toEqual({
      ...request,
      paras: { ...request.paras, computer_password: '********' },
    });
  });

  it('fails with the code and the reason of the step', async () => {
    const { job_id: id } = await create('two-fails');
    gates.gate('two-fails').open();
    const reply = await ended(id);
    expect(reply).toMatchObject({ status: 'failed', error_code: '70093' });
    expect(reply.error_info).toContain('no disk for two-fails');
    const job = await client.job(Number(id));
    expect(job.error).toMatchObject({ kind: 'storage_install_failed', code: 70_093 });
    expect(job.steps).toMatchObject([{ state: 'failed', reason: expect.stringContaining('no disk') }]);
    const again = await client.retry(Number(id));
    expect(again).toMatchObject({ retry_of: Number(id), job_type: 'create_cluster' });
    expect(await ended(String(again.job_id))).toMatchObject({ status: 'failed' });
  });

  it('waits behind another one of the same cluster, says so, and can be cancelled there', async () => {
    const first = await create('three-a');
    const second = await create('three-b');
    expect(await status(second.job_id)).toMatchObject({ status: 'ongoing', attachment: null });
    expect(await client.job(Number(second.job_id))).toMatchObject({
      phase: 'queued',
      waiting_for: [{ lock: 'nick_name:three', job_id: Number(first.job_id) }],
    });
    const { jobs: waiting } = await client.jobs({ lock: 'nick_name:three' });
    expect(waiting.map(({ job_id }) => String(job_id))).toEqual([second.job_id, first.job_id]);
    await client.cancel(Number(second.job_id));
    expect(await ended(second.job_id)).toMatchObject({ status: 'failed', error_code: '70001' });
    gates.gate('three-a').open();
    expect(await ended(first.job_id)).toMatchObject({ status: 'done' });
    await expect(client.cancel(Number(first.job_id))).rejects.toMatchObject({ kind: 'job_not_cancellable' });
  });

  it('is the same job for the same Idempotency-Key, and a conflict for another request', async () => {
    const headers = { 'idempotency-key': 'four' };
    const request = { job_type: 'create_cluster', paras: { shards: 1, nick_name: 'four' } };
    const ids = await Promise.all([emit(request, headers), emit(request, headers), emit(request, headers)]);
    expect(new Set(ids.map(({ job_id }) => job_id)).size).toBe(1);
    const other = await emit({ ...request, paras: { shards: 2, nick_name: 'four' } }, headers);
    expect(other).toMatchObject({ status: 'failed', attachment: null });
    expect(other.error_info).toMatch(/idempotency/i);
    await expect(
      client.submit(
        { job_type: 'create_cluster', paras: { shards: 3, nick_name: 'four' } },
        { idempotencyKey: 'four' },
      ),
    ).rejects.toMatchObject({ kind: 'idempotency_conflict' });
    gates.gate('four').open();
    expect(await ended(ids[0].job_id)).toMatchObject({ status: 'done' });
  });

  it('tells its watchers every step in order, live and afterwards alike', async () => {
    const { job_id: id } = await create('five');
    const live: JobEventJson[] = [];
    for await (const event of client.watch(Number(id))) {
      live.push(event);
      if (event.type === 'step') gates.gate('five').open();
    }
    const sequences = live.slice(0, -1).map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from(sequences, (_, index) => index + 1));
    expect(live.filter(({ type }) => type === 'step').map((event) => event['state'])).toEqual([
      'running',
      'done',
    ]);
    expect(live.at(-1)).toMatchObject({ type: 'end', job: { status: 'done', progress: 100 } });
    const replayed: JobEventJson[] = [];
    for await (const event of client.watch(Number(id))) replayed.push(event);
    expect(replayed).toEqual(live);
  });

  it('is refused with every broken rule before it exists', async () => {
    const before = (await client.jobs({ limit: 1 })).jobs[0]?.job_id;
    const refused = await emit({ job_type: 'create_cluster', paras: { shards: 'many' } });
    expect(refused).toMatchObject({ status: 'failed', error_code: '70072', job_id: '' });
    expect(refused.error_info).toMatch(/paras\.shards.*paras\.nick_name/);
    expect((await client.jobs({ limit: 1 })).jobs[0]?.job_id).toBe(before);
  });
});
