import { errorCatalogue } from '../core/errors/catalogue.ts';
import type { JsonObject } from '../core/json.ts';
import { emitPath } from './emit/emit.ts';
import type { JobTypes } from './job-types.ts';

/**
 * The OpenAPI 3.1 document. Fastify's plugin describes the REST routes from their schemas; this file adds one
 * component per job type, made from its definition, and the two requests that carry them.
 */
interface Described {
  readonly jobType: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly paras: object;
  readonly example: JsonObject;
}

const reference = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

/** TypeBox keeps its own marks outside of what JSON carries. */
function plainSchema(schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject;
}

function requestSchema(job: Described): JsonObject {
  const { jobType, aliases, summary, example } = job;
  return {
    type: 'object',
    title: jobType,
    description:
      `${summary}. Numbers and yes/no values may also be sent as text.` +
      (aliases.length === 0 ? '' : ` Also known as ${aliases.join(', ')}.`),
    properties: {
      version: { type: 'string', const: '1.0' },
      job_id: { type: 'string', description: 'empty' },
      job_type: { type: 'string', const: jobType },
      timestamp: { type: 'string' },
      user_name: { type: 'string' },
      paras: plainSchema(job.paras),
    },
    required: ['job_type'],
    examples: [{ version: '1.0', job_id: '', job_type: jobType, user_name: 'dba', paras: example }],
  };
}

const getStatusSchema: JsonObject = {
  type: 'object',
  title: 'get_status',
  description: 'How a job stands. Ask again while status is "ongoing".',
  properties: {
    version: { type: 'string', const: '1.0' },
    job_id: { type: ['string', 'integer'] },
    job_type: { type: 'string', const: 'get_status' },
    paras: { type: 'object' },
  },
  required: ['job_type', 'job_id'],
  examples: [{ version: '1.0', job_id: '35', job_type: 'get_status', paras: {} }],
};

const replyMembers: JsonObject = {
  attachment: { type: ['object', 'null'] },
  error_code: { type: 'string', description: '"0", or a code of the catalogue' },
  error_info: { type: 'string' },
  job_id: { type: 'string' },
  version: { type: 'string', const: '1.0' },
};

const fixedComponents: JsonObject = {
  EmitAccepted: {
    type: 'object',
    description: 'The job was recorded; follow it with get_status.',
    properties: { ...replyMembers, status: { type: 'string', const: 'accept' } },
    required: ['attachment', 'error_code', 'error_info', 'job_id', 'status', 'version'],
  },
  EmitReply: {
    type: 'object',
    description: 'Every other reply, errors included.',
    properties: {
      ...replyMembers,
      job_type: { type: 'string' },
      status: { type: 'string', enum: ['ongoing', 'done', 'failed'] },
    },
    required: ['attachment', 'error_code', 'error_info', 'job_id', 'job_type', 'status', 'version'],
  },
  ErrorCatalogue: {
    type: 'object',
    description: 'Every kind of error: wire code, HTTP status, meaning, and what to do.',
    'x-kluster-errors': plainSchema(errorCatalogue),
  },
};

function oneOf(names: readonly string[]): JsonObject {
  return {
    oneOf: names.map(reference),
    discriminator: {
      propertyName: 'job_type',
      mapping: Object.fromEntries(names.map((name) => [name, `#/components/schemas/${name}`])),
    },
  };
}

function jsonContent(schema: JsonObject): JsonObject {
  return { 'application/json': { schema } };
}

function emitOperation(names: readonly string[]): JsonObject {
  return {
    post: {
      tags: ['emit'],
      summary: 'Every job type, as the published ClusterManager API has it',
      description: 'Always answers HTTP 200; the outcome is in status and error_code.',
      parameters: [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string' } }],
      requestBody: { required: true, content: jsonContent(oneOf(names)) },
      responses: {
        '200': {
          description: 'accepted, answered, or refused',
          content: jsonContent({ oneOf: [reference('EmitAccepted'), reference('EmitReply')] }),
        },
      },
    },
  };
}

interface Document {
  readonly components?: { readonly schemas?: object };
  readonly paths?: object;
}

export function completeDocument<Services>(document: Document, jobTypes: JobTypes<Services>): object {
  const jobs: readonly Described[] = [...jobTypes.missions, ...jobTypes.immediateJobs];
  const names = jobs.map(({ jobType }) => jobType);
  const schemas = {
    ...document.components?.schemas,
    ...fixedComponents,
    get_status: getStatusSchema,
    ...Object.fromEntries(jobs.map((job) => [job.jobType, requestSchema(job)])),
    JobRequest: oneOf(names),
  };
  const paths: Record<string, object> = {
    ...document.paths,
    [emitPath]: emitOperation([...names, 'get_status']),
  };
  const jobsPath = { ...paths['/api/v1/jobs'] };
  if ('post' in jobsPath && typeof jobsPath.post === 'object') {
    const requestBody = { required: true, content: jsonContent(reference('JobRequest')) };
    paths['/api/v1/jobs'] = { ...jobsPath, post: { ...jobsPath.post, requestBody } };
  }
  return { ...document, components: { ...document.components, schemas }, paths };
}
