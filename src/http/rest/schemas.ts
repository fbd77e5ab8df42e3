import Type from 'typebox';

/** Schemas of the REST interface: Fastify checks requests with them, and the OpenAPI document is made from them. */
const isoTime = Type.String({ format: 'date-time' });
const nullable = <Schema extends Type.TSchema>(schema: Schema): Type.TUnion<[Schema, Type.TNull]> =>
  Type.Union([schema, Type.Null()]);
const anyJson = Type.Unsafe<unknown>({ description: 'any JSON value' });

export const idParams = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'job id' }),
});

export const jobStatuses = ['not_started', 'ongoing', 'done', 'failed'] as const;

export const jobListQuery = Type.Object({
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'jobs on one page' }),
  before: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'only older jobs than this id: next_before of the page before',
    }),
  ),
  status: Type.Optional(
    Type.Unsafe<(typeof jobStatuses)[number]>({ type: 'string', enum: [...jobStatuses] }),
  ),
  job_type: Type.Optional(Type.String({ maxLength: 64 })),
  lock: Type.Optional(
    Type.String({ maxLength: 300, description: 'only jobs that hold or want this lock, e.g. cluster:7' }),
  ),
});

export const jobRequest = Type.Object({
  job_type: Type.String({ minLength: 1, maxLength: 64 }),
  paras: Type.Optional(Type.Unsafe<unknown>({ description: 'parameters of the job type' })),
  user_name: Type.Optional(Type.String({ maxLength: 128, description: 'recorded with the job' })),
});

const jobError = Type.Object({
  kind: Type.String(),
  code: Type.Integer(),
  message: Type.String(),
  hint: Type.String(),
});

const summaryMembers = {
  job_id: Type.Integer(),
  job_type: Type.String(),
  status: Type.Unsafe<string>({ type: 'string', enum: [...jobStatuses] }),
  phase: Type.Unsafe<string>({ type: 'string', enum: ['queued', 'forward', 'undoing', 'ended'] }),
  user_name: Type.String(),
  submitted_at: isoTime,
  started_at: nullable(isoTime),
  ended_at: nullable(isoTime),
  progress: Type.Number({ minimum: 0, maximum: 100 }),
  error: nullable(jobError),
};

const step = Type.Object({
  path: Type.String(),
  title: Type.String(),
  state: Type.String(),
  attempt: Type.Integer(),
  started_at: nullable(isoTime),
  ended_at: nullable(isoTime),
  output: anyJson,
  reason: nullable(Type.String()),
  weight: Type.Number(),
});

export const job = Type.Object({
  ...summaryMembers,
  paras: Type.Object({}, { additionalProperties: true }),
  prepared: anyJson,
  cancel_requested: Type.Boolean(),
  cancellable: Type.Boolean(),
  waiting_for: Type.Array(Type.Object({ lock: Type.String(), job_id: Type.Integer() })),
  steps: Type.Array(step),
  notes: Type.Array(Type.String()),
  retry_of: nullable(Type.Integer()),
  attachment: nullable(Type.Object({}, { additionalProperties: true })),
});

export const jobList = Type.Object({
  jobs: Type.Array(Type.Object(summaryMembers)),
  next_before: nullable(Type.Integer()),
});

export const answer = Type.Object({
  job_type: Type.String(),
  status: Type.Literal('done'),
  attachment: nullable(Type.Object({}, { additionalProperties: true })),
});

const problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  kind: Type.String(),
  code: Type.Integer(),
  violations: Type.Array(
    Type.Object({
      field: Type.String(),
      value: Type.Optional(Type.String()),
      rule: Type.String(),
      code: Type.Integer(),
    }),
  ),
  hint: Type.String(),
  instance: Type.String(),
});

/** Responses that every route of the interface may give instead of its own. */
const problemResponse = {
  description: 'refused or failed',
  content: { 'application/problem+json': { schema: problem } },
};
export const errorResponses = { '4xx': problemResponse, '5xx': problemResponse };

const role = Type.Unsafe<string>({ type: 'string', enum: ['source', 'replica'] });
const processMembers = { pid: nullable(Type.Integer()), datadir: nullable(Type.String()) };

export const machine = Type.Object({
  hostaddr: Type.String(),
  roles: Type.Array(Type.Unsafe<string>({ type: 'string', enum: ['storage', 'computer'] })),
  status: Type.Unsafe<string>({ type: 'string', enum: ['online', 'offline'] }),
});

export const cluster = Type.Object({
  cluster_id: Type.Integer(),
  cluster_name: Type.String(),
  nick_name: Type.String(),
  ha_mode: Type.String(),
  shards: Type.Array(
    Type.Object({
      shard_id: Type.Integer(),
      shard_name: Type.String(),
      state: nullable(Type.String()),
      reason: nullable(Type.String()),
      nodes: Type.Array(
        Type.Object({
          node_id: Type.Integer(),
          hostaddr: Type.String(),
          port: Type.Integer(),
          role,
          status: Type.String(),
          ...processMembers,
        }),
      ),
    }),
  ),
  comps: Type.Array(
    Type.Object({
      comp_id: Type.Integer(),
      comp_name: Type.String(),
      hostaddr: Type.String(),
      port: Type.Integer(),
      status: Type.String(),
      ...processMembers,
    }),
  ),
});

export const status = Type.Object({
  manager: Type.Object({ url: Type.String(), pid: nullable(Type.Integer()), leader: Type.Boolean() }),
  metadata: Type.Object({
    mode: Type.String(),
    nodes: Type.Array(
      Type.Object({ hostaddr: Type.String(), port: Type.Integer(), role, pid: nullable(Type.Integer()) }),
    ),
  }),
  machines: Type.Array(machine),
  clusters: Type.Array(cluster),
});

export const agentRegistration = Type.Object({
  hostaddr: Type.String({
    minLength: 1,
    maxLength: 255,
    pattern: '^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$',
    description: 'address at which the manager reaches the agent',
  }),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
});
