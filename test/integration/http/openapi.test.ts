import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleMission, sampleQuery, startTestServer, type TestServer } from '../../support/http-server.ts';

let server: TestServer;
let document: Record<string, unknown>;
beforeAll(async () => {
  server = await startTestServer();
  document = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as Record<string, unknown>;
});
afterAll(() => server.close());

function at(pointer: string): unknown {
  return pointer
    .replace(/^#\//, '')
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
      document,
    );
}

function references(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' ? [member] : references(member),
  );
}

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1 with the parts that every reader needs', () => {
    expect(document['openapi']).toBe('3.1.0');
    expect(document['info']).toMatchObject({ title: expect.any(String), version: expect.any(String) });
    const paths = document['paths'] as Record<
      string,
      Record<string, { responses?: object; parameters?: unknown[] }>
    >;
    expect(Object.keys(paths).length).toBeGreaterThan(8);
    for (const [path, operations] of Object.entries(paths)) {
      expect(path).toMatch(/^\//);
      for (const [method, operation] of Object.entries(operations)) {
        expect(method).toMatch(/^(get|post|put|delete|patch)$/);
        expect(Object.keys(operation.responses ?? {}), `${method} ${path}`).not.toEqual([]);
        for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
          expect(operation.parameters).toContainEqual(
            expect.objectContaining({ in: 'path', name, required: true }),
          );
        }
      }
    }
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/HttpService/Emit',
        '/api/v1/jobs',
        '/api/v1/jobs/{id}',
        '/api/v1/jobs/{id}/cancel',
        '/api/v1/jobs/{id}/retry',
        '/api/v1/jobs/{id}/events',
        '/api/v1/machines',
        '/api/v1/clusters',
        '/api/v1/clusters/{name}',
        '/api/v1/status',
        '/api/v1/agents',
        '/healthz',
        '/metrics',
      ]),
    );
  });

  it('has no dangling reference', () => {
    const all = references(document);
    expect(all.length).toBeGreaterThan(4);
    for (const reference of all) expect(at(reference), reference).toBeTypeOf('object');
  });

  it('describes every job type from its definition', () => {
    for (const { jobType, paras, example } of [sampleMission, sampleQuery]) {
      const schema = at(`#/components/schemas/${jobType}`) as {
        properties: { job_type: { const: string }; paras: { properties: object; required?: string[] } };
        examples: { paras: object }[];
      };
      expect(schema.properties.job_type.const).toBe(jobType);
      expect(Object.keys(schema.properties.paras.properties)).toEqual(Object.keys(paras.properties));
      expect(schema.examples[0]?.paras).toEqual(example);
    }
  });

  it('tells the job types of a request to Emit apart by job_type', () => {
    const body = at('#/paths/~1HttpService~1Emit/post/requestBody/content/application~1json/schema') as {
      oneOf: { $ref: string }[];
      discriminator: { propertyName: string; mapping: Record<string, string> };
    };
    expect(body.discriminator.propertyName).toBe('job_type');
    expect(Object.keys(body.discriminator.mapping).sort()).toEqual([
      'create_sample',
      'get_sample',
      'get_status',
    ]);
    expect(body.oneOf.map(({ $ref }) => $ref).sort()).toEqual(
      Object.values(body.discriminator.mapping).sort(),
    );
  });

  it('says how a request is refused', () => {
    const refused = at('#/paths/~1api~1v1~1jobs/post/responses/4XX/content/application~1problem+json/schema');
    expect(refused).toMatchObject({ properties: { kind: {}, violations: {}, hint: {} } });
    const accepted = at('#/paths/~1api~1v1~1jobs/post/responses/202/content/application~1json/schema');
    expect(accepted).toMatchObject({ properties: { job_id: {}, steps: {}, waiting_for: {} } });
  });

  it('gives a client only what it accepts: the examples pass', async () => {
    const examples = at('#/components/schemas/create_sample/examples') as unknown[];
    const response = await fetch(`${server.url}/HttpService/Emit`, {
      method: 'POST',
      body: JSON.stringify(examples[0]),
    });
    expect(await response.json()).toMatchObject({ status: 'accept' });
  });
});
