import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagerClient } from '../../../src/client/index.ts';
import type { JobEventJson, JobJson } from '../../../src/core/rest-types.ts';
import { startTestServer, type TestServer } from '../../support/http-server.ts';

let server: TestServer;
let client: ManagerClient;
beforeAll(async () => {
  server = await startTestServer();
  client = new ManagerClient({ url: server.url });
});
afterAll(() => server.close());

async function newJob(): Promise<JobJson> {
  const job = await client.submit({ job_type: 'create_sample', paras: { shards: 1 } });
  if (!('job_id' in job)) throw new Error('a job was expected');
  return job;
}

describe('watching a job', () => {
  it('gives what happened and what happens, and ends with the whole job', async () => {
    const { job_id } = await newJob();
    server.jobs.change(job_id, { status: 'ongoing', phase: 'forward', progress: 10 });
    const events: JobEventJson[] = [];
    for await (const event of client.watch(job_id)) {
      events.push(event);
      if (events.length === 1) server.jobs.change(job_id, { progress: 60 });
      if (events.length === 2) server.jobs.finish(job_id);
    }
    expect(events.map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, 'job'],
      [2, 'job'],
      [3, 'job'],
      [3, 'end'],
    ]);
    expect(events.map((event) => event['progress'])).toEqual([10, 60, 100, undefined]);
    expect(events.at(-1)?.['job']).toMatchObject({ job_id, status: 'done' });
  });

  it('goes on behind Last-Event-ID', async () => {
    const { job_id } = await newJob();
    for (const progress of [10, 20, 30]) server.jobs.change(job_id, { progress });
    server.jobs.finish(job_id);
    const response = await fetch(`${server.url}/api/v1/jobs/${String(job_id)}/events`, {
      headers: { 'last-event-id': '3' },
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const text = await response.text();
    expect(text.match(/^id: .*$/gm)).toEqual(['id: 4', 'id: 4']);
    expect(text).toMatch(/^id: 4\nevent: job\ndata: \{.*\}\n\nid: 4\nevent: end\ndata: \{.*\}\n\n$/);
  });

  it('reconnects when the server goes away in the middle, without losing or repeating an event', async () => {
    const own = await startTestServer();
    try {
      const watcher = new ManagerClient({ url: own.url });
      const job = await watcher.submit({ job_type: 'create_sample', paras: { shards: 1 } });
      const id = 'job_id' in job ? job.job_id : 0;
      own.jobs.change(id, { progress: 10 });
      const sequences: number[] = [];
      for await (const event of watcher.watch(id)) {
        sequences.push(event.sequence);
        if (sequences.length === 1) {
          own.app.server.closeAllConnections();
          own.jobs.change(id, { progress: 20 });
          own.jobs.finish(id);
        }
      }
      expect(sequences).toEqual([1, 2, 3, 3]);
    } finally {
      await own.close();
    }
  });

  it('stops when the watcher has seen enough, and the server forgets it', async () => {
    const { job_id } = await newJob();
    const stop = new AbortController();
    const events: JobEventJson[] = [];
    setTimeout(() => stop.abort(), 50);
    for await (const event of client.watch(job_id, { signal: stop.signal })) events.push(event);
    expect(events).toEqual([]);
  });

  it('refuses to watch a job that does not exist', async () => {
    const watching = client.watch(4711)[Symbol.asyncIterator]().next();
    await expect(watching).rejects.toMatchObject({ kind: 'job_not_found' });
  });
});

describe('closing', () => {
  it('ends streams, lets requests finish, and does not wait for ever', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const own = await startTestServer({
      topology: {
        machines: async () => {
          await held;
          return [];
        },
        clusters: () => new Promise(() => undefined),
        cluster: async () => Promise.reject(new Error('not asked for')),
        status: async () => Promise.reject(new Error('not asked for')),
      },
    });
    const watcher = new ManagerClient({ url: own.url });
    const job = await watcher.submit({ job_type: 'create_sample', paras: { shards: 1 } });
    const stream = await fetch(`${own.url}/api/v1/jobs/${'job_id' in job ? String(job.job_id) : ''}/events`);
    const finishing = watcher.machines();
    const hanging = expect(watcher.clusters()).rejects.toMatchObject({ kind: 'manager_unreachable' });
    await expect.poll(() => connections(own)).toBeGreaterThanOrEqual(3);
    const closed = own.close();
    expect(await stream.text()).toBe('');
    release();
    expect(await finishing).toEqual([]);
    await closed;
    await hanging;
  });
});

function connections({ app }: TestServer): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
