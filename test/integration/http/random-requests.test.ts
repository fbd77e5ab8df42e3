import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../support/http-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const sixKeys = ['attachment', 'error_code', 'error_info', 'job_id', 'status', 'version'];
const sevenKeys = ['attachment', 'error_code', 'error_info', 'job_id', 'job_type', 'status', 'version'];

async function expectValidReply(body: string | Uint8Array<ArrayBuffer>): Promise<void> {
  const response = await fetch(`${server.url}/HttpService/Emit`, { method: 'POST', body });
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text.indexOf('\n')).toBe(text.length - 1);
  const reply = JSON.parse(text) as Record<string, unknown>;
  const { status, error_code, error_info, job_id, version } = reply;
  expect(Object.keys(reply)).toEqual(status === 'accept' ? sixKeys : sevenKeys);
  expect(['accept', 'ongoing', 'done', 'failed']).toContain(status);
  expect(version).toBe('1.0');
  expect(error_code).toMatch(status === 'failed' ? /^7\d{4}$/ : /^0$/);
  expect(typeof error_info).toBe('string');
  if (status === 'accept') expect(job_id).toMatch(/^\d+$/);
  if (status === 'failed') expect(error_info).not.toBe('');
}

/** Requests that look like real ones, so that they get past the first check. */
const plausible = fc.record(
  {
    version: fc.jsonValue(),
    ver: fc.constant('1.0'),
    job_id: fc.oneof(fc.jsonValue(), fc.integer(), fc.integer().map(String)),
    job_type: fc.oneof(
      fc.constantFrom('create_sample', 'get_sample', 'get_status', 'expand_cluster', '__proto__', 'toString'),
      fc.jsonValue(),
    ),
    timestamp: fc.jsonValue(),
    user_name: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
    paras: fc.oneof(
      fc.record(
        {
          shards: fc.oneof(fc.integer(), fc.jsonValue(), fc.constantFrom('1', '256', ' 7 ')),
          nick_name: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
          small: fc.jsonValue(),
          name: fc.oneof(fc.constant('broken'), fc.jsonValue()),
        },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
    ),
  },
  { requiredKeys: ['job_type'] },
);

describe('whatever is sent to Emit', () => {
  it('gets a valid reply: any JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(plausible, fc.jsonValue()), (value) =>
        expectValidReply(JSON.stringify(value)),
      ),
      { numRuns: 400 },
    );
  });

  it('gets a valid reply: any bytes', async () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => new Uint8Array(array));
    await fc.assert(fc.asyncProperty(bytes, expectValidReply), { numRuns: 150 });
  });

  it('gets a valid reply: requests with pieces cut out or doubled', async () => {
    const damaged = fc
      .tuple(plausible, fc.nat(), fc.nat(), fc.boolean())
      .map(([value, from, length, double]) => {
        const text = JSON.stringify(value);
        const start = from % text.length;
        const piece = text.slice(start, start + (length % 20));
        return text.slice(0, start) + (double ? piece + piece : '') + text.slice(start + piece.length);
      });
    await fc.assert(fc.asyncProperty(damaged, expectValidReply), { numRuns: 150 });
  });

  it('leaves a server that still works', async () => {
    const response = await fetch(`${server.url}/HttpService/Emit`, {
      method: 'POST',
      body: '{"job_type":"get_sample","paras":{"name":"one"}}',
    });
    expect(await response.json()).toMatchObject({ status: 'done', attachment: { name: 'one' } });
  });
});
