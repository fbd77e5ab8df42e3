import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { startTestServer, type TestServer } from '../../support/http-server.ts';
import { bodyOf, rawExchange } from '../../support/raw-http.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

const path = '/HttpService/Emit';

function openConnections({ app }: TestServer): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

async function emit(body: string | Buffer, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${server.url}${path}`, { method: 'POST', body, headers });
  expect(response.status).toBe(200);
  return response.text();
}

const send = (request: unknown, headers?: Record<string, string>): Promise<string> =>
  emit(JSON.stringify(request), headers);

const sevenKeys = ['attachment', 'error_code', 'error_info', 'job_id', 'job_type', 'status', 'version'];

/** The members of a refusal, after checking everything that all refusals have in common. */
function refusal(text: string): { error_code: string; error_info: string; job_type: string; job_id: string } {
  expect(text).toMatch(/^\{"attachment":null,"error_code":"7\d{4}","error_info":".+\}\n$/);
  const reply = JSON.parse(text) as Record<string, string>;
  expect(Object.keys(reply)).toEqual(sevenKeys);
  expect(reply).toMatchObject({ attachment: null, status: 'failed', version: '1.0' });
  const { error_code = '', error_info = '', job_type = '', job_id = '' } = reply;
  return { error_code, error_info, job_type, job_id };
}

const accepted =
  /^\{"attachment":null,"error_code":"0","error_info":"","job_id":"\d+","status":"accept","version":"1\.0"\}\n$/;

async function submit(): Promise<number> {
  const text = await send({ version: '1.0', job_id: '', job_type: 'create_sample', paras: { shards: '1' } });
  expect(text).toMatch(accepted);
  return Number((JSON.parse(text) as { job_id: string }).job_id);
}

const status = (id: unknown): Promise<string> =>
  send({ version: '1.0', job_id: id, job_type: 'get_status', paras: [] });

describe('what clients cut out of replies', () => {
  it('accepts a job with exactly these bytes', async () => {
    const id = await submit();
    expect(await send({ job_type: 'sample_create', paras: { shards: 1 } })).toBe(
      `{"attachment":null,"error_code":"0","error_info":"","job_id":"${String(id + 1)}","status":"accept","version":"1.0"}\n`,
    );
  });

  it('tells how a job stands, byte for byte, from queued to done', async () => {
    const id = await submit();
    const text = String(id);
    expect(await status(text)).toBe(
      `{"attachment":null,"error_code":"0","error_info":"","job_id":"${text}","job_type":"create_sample","status":"ongoing","version":"1.0"}\n`,
    );
    server.jobs.change(id, { status: 'ongoing', phase: 'forward', progress: 40 });
    expect(await status(id)).toBe(
      `{"attachment":{"child":{"error_code":0},"progress":40,"state":"ongoing"},"error_code":"0","error_info":"","job_id":"${text}","job_type":"create_sample","status":"ongoing","version":"1.0"}\n`,
    );
    server.jobs.finish(id);
    expect(await status(text)).toBe(
      `{"attachment":{"child":{"error_code":0},"progress":100,"state":"done"},"error_code":"0","error_info":"create sample successfully","job_id":"${text}","job_type":"create_sample","status":"done","version":"1.0"}\n`,
    );
  });

  it('tells why a job failed, and what to do', async () => {
    const id = await submit();
    server.jobs.fail(
      id,
      new KlusterError('agent_unreachable', 'The agent at 10.0.0.1:35002 does not answer'),
    );
    const reply = JSON.parse(await status(String(id))) as Record<string, unknown>;
    expect(reply).toMatchObject({ error_code: '70003', status: 'failed', job_type: 'create_sample' });
    expect(reply['error_info']).toMatch(
      /^The agent at 10\.0\.0\.1:35002 does not answer\. Start `kluster agent`/,
    );
  });

  it('does not take a defect of a report for a failure of the job', async () => {
    const reply = await send({ job_type: 'create_sample', paras: { shards: 1, nick_name: 'bad report' } });
    const { job_id: id } = JSON.parse(reply) as { job_id: string };
    expect(JSON.parse(await status(id))).toMatchObject({
      status: 'ongoing',
      attachment: null,
      error_code: '0',
    });
    expect(server.log()).toContain('a defect of the report');
  });

  it.each([
    ['4711'],
    [4711],
    ['0'],
    ['-1'],
    ['abc'],
    ["1' OR '1'='1"],
    ['99999999999999999999'],
    [1e300],
    [null],
    [{}],
    [''],
  ])('answers an unknown job id %j with the triple that consoles wait on', async (id) => {
    const reply = JSON.parse(await status(id)) as Record<string, unknown>;
    expect(Object.keys(reply)).toEqual(sevenKeys);
    expect(reply).toMatchObject({ attachment: null, error_code: '70001', status: 'failed', job_type: '' });
  });

  it('answers queries at once, with sorted keys', async () => {
    expect(await send({ job_type: 'get_sample', paras: { name: 'one' } })).toBe(
      '{"attachment":{"a":[true],"name":"one","z":1},"error_code":"0","error_info":"","job_id":"","job_type":"get_sample","status":"done","version":"1.0"}\n',
    );
  });

  it('answers a query without anything to tell with attachment null and done (console login)', async () => {
    expect(await send({ job_id: '0', job_type: 'get_sample', paras: [] })).toBe(
      '{"attachment":null,"error_code":"0","error_info":"","job_id":"","job_type":"get_sample","status":"done","version":"1.0"}\n',
    );
  });
});

describe('lenient input', () => {
  it.each([[{}], [[]], ['{}'], ['[]'], [''], [null]])('takes paras %j as no parameters', async (paras) => {
    expect(JSON.parse(await send({ job_type: 'get_sample', paras }))).toMatchObject({ status: 'done' });
  });

  it.each([
    ['text', { shards: '3', small: '1' }],
    ['numbers and booleans', { shards: 3, small: true }],
    ['parameters as JSON text', '{"shards":"3","small":"on"}'],
    ['unknown keys', { shards: 3, job_keyword: 'x', skip_sync_roles: [1, { a: 2 }] }],
  ])('takes %s', async (_form, paras) => {
    expect(await send({ ver: '1.0', job_type: 'create_sample', timestamp: 1435749309, paras })).toMatch(
      accepted,
    );
  });

  it('takes any content type, and none', async () => {
    const body = '{"job_type":"get_sample"}';
    for (const type of [
      'application/json',
      'text/plain',
      'application/x-www-form-urlencoded',
      'nonsense',
      '',
    ]) {
      const header = type === '' ? '' : `Content-Type: ${type}\r\n`;
      const response = await rawExchange(
        server.port,
        `POST ${path} HTTP/1.1\r\nHost: 127.0.5.1\r\nConnection: close\r\n${header}Content-Length: ${String(body.length)}\r\n\r\n${body}`,
      );
      expect(bodyOf(response), type).toContain('"status":"done"');
    }
  });

  it('records who asked, under a pretty-printed body with tabs, a BOM and Chinese names', async () => {
    const request = {
      version: '1.0',
      job_type: 'create_sample',
      user_name: 'super_dba',
      paras: { shards: '1', nick_name: '\u4e2d\u6587' },
    };
    expect(await emit(`\uFEFF\n\n${JSON.stringify(request, null, '\t')}\n\n`)).toMatch(accepted);
    expect(server.jobs.submissions.at(-1)).toMatchObject({ userName: 'super_dba', request });
  });

  it('gives the same job for the same idempotency key', async () => {
    const request = { job_type: 'create_sample', paras: { shards: 1 } };
    const first = await send(request, { 'idempotency-key': 'key-1' });
    expect(await send(request, { 'idempotency-key': 'key-1' })).toBe(first);
    expect(await send(request, { 'idempotency-key': 'key-2' })).not.toBe(first);
  });
});

describe('HTTP/1.0', () => {
  const body = '{"job_type":"get_sample"}';
  const request = (header: string): string =>
    `POST ${path} HTTP/1.0\r\n${header}Content-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;

  it('answers with a length, not in chunks, and closes the connection', async () => {
    const response = await rawExchange(server.port, request(''));
    expect(response).toMatch(/^HTTP\/1\.[01] 200 /);
    expect(response.toLowerCase()).toContain('connection: close');
    expect(response.toLowerCase()).not.toContain('transfer-encoding');
    const length = /content-length: (\d+)/i.exec(response)?.[1];
    expect(Number(length)).toBe(bodyOf(response).length);
    expect(bodyOf(response)).toContain('"status":"done"');
  });

  it('keeps the connection when the client asks for it', async () => {
    const twice = request('Connection: keep-alive\r\n') + request('');
    const response = await rawExchange(server.port, twice);
    expect(response.match(/"status":"done"/g)).toHaveLength(2);
  });
});

describe('refusals', () => {
  it('names every broken rule, with the code of the first', async () => {
    const { error_code, error_info } = refusal(
      await send({
        job_type: 'create_sample',
        paras: { shards: '0', nick_name: 'x'.repeat(30), small: 'maybe' },
      }),
    );
    expect(error_code).toBe('70072');
    for (const field of ['paras.shards', 'paras.nick_name', 'paras.small'])
      expect(error_info).toContain(field);
  });

  it('does not repeat a secret that breaks a rule, in the reply or in the log', async () => {
    const paras = { shards: 1, computer_password: 'hunter2' };
    const { error_info } = refusal(await send({ job_type: 'create_sample', paras }));
    expect(error_info).toContain('paras.computer_password');
    expect(error_info).not.toContain('hunter2');
    expect(server.log()).not.toContain('hunter2');
  });

  it('says in words what a documented job type would do that is not built yet', async () => {
    const { error_info, error_code } = refusal(await send({ job_type: 'expand_cluster', paras: {} }));
    expect(error_code).toBe('70001');
    expect(error_info).toContain('move tables to another shard');
  });

  it('names what a mistyped job type may mean', async () => {
    const { error_info } = refusal(await send({ job_type: 'create_sampel', paras: {} }));
    expect(error_info).toContain('did you mean create_sample');
  });

  it.each<[string, string | Buffer, RegExp]>([
    ['an empty body', '', /empty/],
    ['no JSON', '{"job_type":', /not JSON/],
    ['JSON with a raw NUL', '{"job_type":"get\0"}', /not JSON/],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), /UTF-8/],
    ['a root that is an array', '[]', /JSON object/],
    ['a root that is null', 'null', /JSON object/],
    ['no job type', '{}', /job_type is missing/],
    ['a job type that is an object', '{"job_type":{}}', /job_type is missing/],
    ['an inherited name as job type', '{"job_type":"__proto__"}', /no job type/],
    ['deep nesting', '['.repeat(500_000), /nests deeper than 64/],
    ['deep nesting of objects', '{"a":'.repeat(100) + '1' + '}'.repeat(100), /nests deeper than 64/],
    [
      'a NUL in a parameter',
      '{"job_type":"create_sample","paras":{"shards":1,"nick_name":"a\\u0000b"}}',
      /NUL/,
    ],
    [
      'half a surrogate pair',
      '{"job_type":"create_sample","paras":{"shards":1,"nick_name":"\\ud800"}}',
      /surrogate/,
    ],
    ['a huge number', '{"job_type":"create_sample","paras":{"shards":1e999}}', /whole number/],
    ['an endless user name', `{"job_type":"get_sample","user_name":"${'x'.repeat(1000)}"}`, /user_name/],
  ])('refuses %s', async (_what, body, reason) => {
    expect(refusal(await emit(body)).error_info).toMatch(reason);
  });

  it('takes keys that are special to JavaScript as any unknown key, and the last of duplicate keys', async () => {
    const body =
      '{"__proto__":{"job_type":"x"},"constructor":1,"job_type":"nothing","job_type":"create_sample",' +
      '"paras":{"__proto__":{"shards":9},"constructor":{"prototype":{"polluted":1}},"shards":1,"shards":"2"}}';
    expect(await emit(body)).toMatch(accepted);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('answers a body over 1 MiB clearly, and the connection goes on', async () => {
    const large = Buffer.alloc(10 * 1024 * 1024, 0x20);
    const small = '{"job_type":"get_sample"}';
    const head = (length: number, connection: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: 127.0.5.1\r\nConnection: ${connection}\r\nContent-Length: ${String(length)}\r\n\r\n`;
    const response = await rawExchange(
      server.port,
      Buffer.concat([
        Buffer.from(head(large.length, 'keep-alive')),
        large,
        Buffer.from(head(small.length, 'close') + small),
      ]),
    );
    expect(response).toContain('larger than 1048576 bytes');
    expect(response).toContain('"status":"done"');
    expect(response.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
  });

  it('cuts off a body without an end', async () => {
    const chunk = `100000\r\n${' '.repeat(0x10_00_00)}\r\n`;
    const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.5.1\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const socket = connect({ host: '127.0.5.1', port: server.port });
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    socket.write(head);
    let sent = 0;
    for (; sent < 200 && !socket.destroyed; sent += 1) {
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
    }
    await closed;
    expect(sent).toBeGreaterThanOrEqual(64);
    expect(sent).toBeLessThan(200);
    expect(await send({ job_type: 'get_sample' })).toContain('"status":"done"');
  });

  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])(
    'answers %s with the failed envelope',
    async (method) => {
      const response = await fetch(`${server.url}${path}`, { method });
      expect(response.status).toBe(200);
      expect(refusal(await response.text()).error_info).toContain(`not ${method}`);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  it('logs a fault of its own once, with the id of the request', async () => {
    const { error_code } = refusal(await send({ job_type: 'get_sample', paras: { name: 'broken' } }));
    expect(error_code).toBe('70001');
    const lines = server
      .log()
      .split('\n')
      .filter((line) => line.includes('a fault of our own'));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 50,
      kind: 'internal',
      reqId: expect.any(String),
    });
  });

  it('answers not_leader while it is not the leader', async () => {
    server.leader = false;
    try {
      expect(refusal(await send({ job_type: 'create_sample', paras: { shards: 1 } })).error_info).toMatch(
        /leader/,
      );
    } finally {
      server.leader = true;
    }
  });

  it('survives a client that leaves in the middle of its body, and keeps nothing of it', async () => {
    const isolated = await startTestServer();
    try {
      const half = `POST ${path} HTTP/1.1\r\nHost: 127.0.5.1\r\nContent-Length: 1000\r\n\r\n{"job_type":`;
      const socket = connect({ host: '127.0.5.1', port: isolated.port });
      await once(socket, 'connect');
      socket.write(half);
      await expect.poll(() => openConnections(isolated)).toBe(1);
      socket.destroy();
      await expect.poll(() => openConnections(isolated)).toBe(0);
      await expect.poll(() => isolated.log()).toContain('connection broke');
    } finally {
      await isolated.close();
    }
  });
});
