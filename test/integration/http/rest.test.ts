import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagerClient } from '../../../src/client/index.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { signRequest } from '../../../src/core/request-signature.ts';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { agentSecret, startTestServer, type TestServer } from '../../support/http-server.ts';

let server: TestServer;
let client: ManagerClient;
beforeAll(async () => {
  server = await startTestServer();
  client = new ManagerClient({ url: server.url });
});
afterAll(() => server.close());

const api = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`${server.url}/api/v1${path}`, init);
const post = (path: string, body: unknown, headers = {}): Promise<Response> =>
  api(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });

async function newJob(): Promise<JobJson> {
  const job = await client.submit({ job_type: 'create_sample', paras: { shards: 1 }, user_name: 'dba' });
  if (!('job_id' in job)) throw new Error('a job was expected');
  return job;
}

async function problem(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body).toMatchObject({ status: response.status, code: expect.any(Number), hint: expect.any(String) });
  return body;
}

describe('jobs', () => {
  it('submits: 202, Location, and the job itself with secrets replaced', async () => {
    const paras = { shards: '2', computer_password: 'hunter2-hunter2' };
    const response = await post('/jobs', { job_type: 'create_sample', paras, user_name: 'dba' });
    expect(response.status).toBe(202);
    const job = (await response.json()) as JobJson;
    expect(response.headers.get('location')).toBe(`/api/v1/jobs/${String(job.job_id)}`);
    expect(job).toMatchObject({
      job_type: 'create_sample',
      status: 'not_started',
      phase: 'queued',
      user_name: 'dba',
      paras: { shards: '2', computer_password: '********' },
      waiting_for: [],
      error: null,
    });
    expect(await client.job(job.job_id)).toEqual(job);
  });

  it('answers job types that need no job at once', async () => {
    expect(await client.submit({ job_type: 'get_sample', paras: { name: 'one' } })).toEqual({
      job_type: 'get_sample',
      status: 'done',
      attachment: { name: 'one', z: 1, a: [true] },
    });
  });

  it('reports every violation, with field, value, rule and code', async () => {
    const response = await post('/jobs', { job_type: 'create_sample', paras: { nick_name: 'x'.repeat(21) } });
    expect(response.status).toBe(422);
    const body = await problem(response);
    expect(body).toMatchObject({
      kind: 'invalid_parameters',
      type: 'urn:kluster:error:invalid_parameters',
      code: 70_072,
    });
    expect(body['violations']).toEqual([
      { field: 'paras.shards', rule: expect.any(String), code: 70_072 },
      {
        field: 'paras.nick_name',
        value: expect.stringContaining('xx'),
        rule: expect.any(String),
        code: 70_501,
      },
    ]);
    await expect(client.submit({ job_type: 'create_sample', paras: {} })).rejects.toMatchObject({
      kind: 'invalid_parameters',
      code: 70_072,
      violations: [{ field: 'paras.shards', value: undefined, code: 70_072 }],
    });
  });

  const json = { 'content-type': 'application/json' };
  const posted = (body: string, headers = {}): RequestInit => ({
    method: 'POST',
    body,
    headers: { ...json, ...headers },
  });
  it.each<{ what: string; path: string; init?: RequestInit; status: number; kind: string }>([
    { what: 'an unknown job', path: '/jobs/4711', status: 404, kind: 'job_not_found' },
    { what: 'a job id that is none', path: '/jobs/abc', status: 400, kind: 'bad_request' },
    { what: 'an unknown path', path: '/nothing', status: 404, kind: 'no_such_resource' },
    { what: 'an unknown cluster', path: '/clusters/nothing', status: 404, kind: 'cluster_not_found' },
    { what: 'a page that is too long', path: '/jobs?limit=100000', status: 400, kind: 'bad_request' },
    { what: 'a status that is none', path: '/jobs?status=tired', status: 400, kind: 'bad_request' },
    { what: 'no body', path: '/jobs', init: { method: 'POST' }, status: 400, kind: 'bad_request' },
    { what: 'no JSON', path: '/jobs', init: posted('{'), status: 400, kind: 'bad_request' },
    { what: 'no object', path: '/jobs', init: posted('[]'), status: 400, kind: 'bad_request' },
    {
      what: 'another content type',
      path: '/jobs',
      init: { method: 'POST', body: '{"job_type":"get_sample"}', headers: { 'content-type': 'text/plain' } },
      status: 400,
      kind: 'bad_request',
    },
    {
      what: 'a large body',
      path: '/jobs',
      init: posted(' '.repeat(1_100_000)),
      status: 413,
      kind: 'body_too_large',
    },
    {
      what: 'deep nesting',
      path: '/jobs',
      init: posted('['.repeat(200_000)),
      status: 400,
      kind: 'bad_request',
    },
    {
      what: 'an unknown job type',
      path: '/jobs',
      init: posted('{"job_type":"x"}'),
      status: 404,
      kind: 'unknown_job_type',
    },
    {
      what: 'a job type not built',
      path: '/jobs',
      init: posted('{"job_type":"create_rcr"}'),
      status: 501,
      kind: 'not_built',
    },
    {
      what: 'a bad idempotency key',
      path: '/jobs',
      init: posted('{"job_type":"create_sample","paras":{"shards":1}}', { 'idempotency-key': 'with blanks' }),
      status: 400,
      kind: 'bad_request',
    },
  ])('refuses $what', async ({ path, init, status, kind }) => {
    const response = await api(path, init);
    expect(response.status).toBe(status);
    expect(await problem(response)).toMatchObject({ kind });
  });

  it('lists newest first, page by page, and filters', async () => {
    const created = [await newJob(), await newJob(), await newJob()].map(({ job_id }) => job_id);
    const first = await client.jobs({ limit: 2 });
    expect(first.jobs.map(({ job_id }) => job_id)).toEqual([created[2], created[1]]);
    expect(first.next_before).toBe(created[1]);
    const second = await client.jobs({ limit: 2, before: first.next_before ?? 0 });
    expect(second.jobs[0]?.job_id).toBe(created[0]);
    server.jobs.finish(created[0] ?? 0);
    const done = await client.jobs({ status: 'done', job_type: 'create_sample' });
    expect(done.jobs.map(({ job_id }) => job_id)).toEqual([created[0]]);
    expect(done.next_before).toBeNull();
  });

  it('cancels once, and submits again what failed', async () => {
    const { job_id } = await newJob();
    expect(await client.cancel(job_id)).toMatchObject({ status: 'failed', error: { kind: 'job_cancelled' } });
    await expect(client.cancel(job_id)).rejects.toMatchObject({ kind: 'job_not_cancellable' });
    const again = await client.retry(job_id);
    expect(again).toMatchObject({ retry_of: job_id, status: 'not_started' });
    await expect(client.retry(again.job_id)).rejects.toMatchObject({ kind: 'job_not_retryable' });
    expect((await api(`/jobs/${String(again.job_id)}/retry`, { method: 'POST' })).status).toBe(409);
  });
});

describe('the rest', () => {
  it('shows machines and status', async () => {
    expect(await client.machines()).toEqual([{ hostaddr: '10.0.0.1', roles: ['storage'], status: 'online' }]);
    expect(await client.status()).toEqual({
      manager: { url: server.url, pid: process.pid, leader: true },
      metadata: { mode: 'no_rep', nodes: [] },
      machines: [],
      clusters: [],
    });
  });

  it('tells its health, also without the metadata database', async () => {
    const health = async (): Promise<[number, unknown]> => {
      const response = await fetch(`${server.url}/healthz`);
      return [response.status, await response.json()];
    };
    expect(await health()).toEqual([200, { status: 'ok', leader: true, metadata: 'ok' }]);
    server.metadataUp = false;
    try {
      expect(await health()).toEqual([503, { status: 'unavailable', leader: true, metadata: 'unreachable' }]);
    } finally {
      server.metadataUp = true;
    }
  });

  it('gives Prometheus its figures', async () => {
    await client.machines();
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toContain('kluster_jobs{job_type="create_sample",status="done"} 3');
    expect(text).toMatch(
      /kluster_http_request_duration_seconds_count\{method="GET",route="\/api\/v1\/machines",status="200"\} \d/,
    );
    expect(text).toContain('kluster_nodejs_eventloop_lag_seconds');
    expect(text).toContain('kluster_process_resident_memory_bytes');
  });

  it('changes nothing while it is not the leader, but lets people look', async () => {
    const { job_id } = await newJob();
    server.leader = false;
    try {
      await expect(newJob()).rejects.toMatchObject({ kind: 'not_leader' });
      await expect(client.cancel(job_id)).rejects.toMatchObject({ kind: 'not_leader' });
      await expect(client.retry(job_id)).rejects.toMatchObject({ kind: 'not_leader' });
      expect((await post('/jobs', { job_type: 'create_sample' })).status).toBe(503);
      expect((await client.job(job_id)).job_id).toBe(job_id);
    } finally {
      server.leader = true;
    }
  });

  it('says that nobody answers where nobody does', async () => {
    const nobody = new ManagerClient({ url: 'http://127.0.5.1:25999' });
    await expect(nobody.status()).rejects.toMatchObject({ kind: 'manager_unreachable' });
    await expect(nobody.status()).rejects.toThrow(/127\.0\.5\.1:25999/);
  });
});

describe('agents', () => {
  const body = JSON.stringify({ hostaddr: '10.0.0.9', port: 35_002 });
  const signed = (secret: string): Record<string, string> =>
    signRequest(
      secret,
      { method: 'POST', path: '/api/v1/agents', target: `127.0.5.1:${String(server.port)}`, body },
      1,
    );
  const register = (headers: Record<string, string>, sent = body): Promise<Response> =>
    api('/agents', {
      method: 'POST',
      body: sent,
      headers: { 'content-type': 'application/json', ...headers },
    });

  it('registers one that knows the secret, once per signature', async () => {
    const headers = signed(agentSecret);
    expect((await register(headers)).status).toBe(200);
    expect(server.registered).toEqual([{ hostaddr: '10.0.0.9', port: 35_002 }]);
    expect((await register(headers)).status).toBe(401);
  });

  it('refuses another secret, another body, and no signature', async () => {
    const before = server.registered.length;
    expect((await register(signed('another secret'))).status).toBe(401);
    expect((await register(signed(agentSecret), body.replace('10.0.0.9', '10.0.0.8'))).status).toBe(401);
    expect((await register({})).status).toBe(401);
    expect(server.registered).toHaveLength(before);
  });
});

describe('with tokens', () => {
  const token = 'correct-horse-battery';

  it('asks everybody but the health check, and records whose token it was', async () => {
    const guarded = await startTestServer({
      config: { access: { bind: '127.0.5.1', tokens: [{ name: 'ops', token }] } },
    });
    try {
      const paths = ['/api/v1/jobs', '/api/v1/status', '/metrics', '/api/openapi.json', '/nothing'];
      for (const path of paths) {
        const response = await fetch(`${guarded.url}${path}`);
        expect([path, response.status]).toEqual([path, 401]);
        expect(response.headers.get('www-authenticate')).toContain('Bearer');
      }
      expect((await fetch(`${guarded.url}/healthz`)).status).toBe(200);
      const emit = await fetch(`${guarded.url}/HttpService/Emit`, {
        method: 'POST',
        body: '{"job_type":"get_sample"}',
      });
      expect(emit.status).toBe(200);
      expect(await emit.json()).toMatchObject({ status: 'failed', attachment: null, job_id: '' });

      const known = new ManagerClient({ url: guarded.url, token });
      expect(await known.submit({ job_type: 'create_sample', paras: { shards: 1 } })).toMatchObject({
        user_name: 'ops',
      });
      await expect(new ManagerClient({ url: guarded.url, token: 'wrong' }).jobs()).rejects.toMatchObject({
        kind: 'unauthorized',
      });
      expect(guarded.log()).not.toContain(token);
      expect(guarded.log()).not.toContain('wrong');
    } finally {
      await guarded.close();
    }
  });

  it('refuses to be made open to the network by omission', async () => {
    await expect(startTestServer({ config: { access: { bind: '0.0.0.0' } } })).rejects.toBeInstanceOf(
      KlusterError,
    );
  });
});

describe('web pages', () => {
  it('cannot use an open server on loopback', async () => {
    const page = { method: 'POST', body: '{"job_type":"create_sample","paras":{"shards":1}}' };
    const before = server.jobs.submissions.length;
    const emit = await fetch(`${server.url}/HttpService/Emit`, {
      ...page,
      headers: { origin: 'http://evil.example' },
    });
    expect(await emit.json()).toMatchObject({
      status: 'failed',
      error_info: expect.stringContaining('evil.example'),
    });
    const rest = await api('/jobs', { headers: { origin: 'http://evil.example' } });
    expect(rest.status).toBe(403);
    expect(server.jobs.submissions).toHaveLength(before);
  });
});
