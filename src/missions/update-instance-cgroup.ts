import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { instanceId } from '../core/ids.ts';
import { colonAddress, type CpuLimit, type HostPort } from '../core/model.ts';
import { choice, decimal, hostAddress, port } from '../core/parameters/fields.ts';
import { defineMission } from '../jobs/mission.ts';
import { serial, type Step, type StepContext } from '../jobs/plan.ts';
import type { Services } from '../jobs/services.ts';
import { agentAt } from './machine/catalog.ts';
import { restartRetry } from './topology/instances.ts';
import { nodeAt, readNodeAt, type ClusterNode } from './topology/node-at.ts';

const codes = { missing: 70_101, invalid: 70_102 };
const modes = ['quota', 'share'] as const;

const updateInstanceCgroupParas = Type.Object({
  ip: hostAddress({ description: 'Address of the instance.', codes, example: '192.168.0.2' }),
  port: port({ description: 'Port of the instance.', codes, example: '57001' }),
  type: choice(['mysql', 'pg'], {
    description: 'mysql: a storage node; pg: a compute node.',
    codes,
    example: 'mysql',
  }),
  cpu_cores: decimal({
    description: 'Processor cores, also parts of one; 0 lifts the limit.',
    minimum: 0,
    maximum: 1024,
    codes,
    example: '2',
  }),
  cgroup_mode: Type.Optional(
    choice(modes, {
      description:
        'quota: an upper bound, also on an idle machine; share: a weight that counts while the machine is busy. Default: quota.',
      codes,
      example: 'quota',
    }),
  ),
});

type UpdateInstanceCgroupParas = Type.Static<typeof updateInstanceCgroupParas>;

const cpuLimit = Type.Union([
  Type.Object({ cores: Type.Number(), mode: Type.Union([Type.Literal('quota'), Type.Literal('share')]) }),
  Type.Null(),
]);

const prepared = Type.Object({
  instanceId: Type.String(),
  agentPort: Type.Integer(),
  /** What the instance had. */
  before: cpuLimit,
});

type Prepared = Type.Static<typeof prepared>;

/** Limits the processor time of one instance while it runs, and for all its later starts. */
export const updateInstanceCgroup = defineMission<Services>()({
  jobType: 'update_instance_cgroup',
  aliases: [],
  summary: 'Limit the processor time of a storage node or compute node',
  paras: updateInstanceCgroupParas,
  prepared,
  example: { ip: '192.168.0.2', port: '57001', type: 'mysql', cpu_cores: '2', cgroup_mode: 'quota' },
  doneText: 'OK',

  async admit(services, paras) {
    const { node } = await chosenNode(services, paras);
    return { admitted: true, locks: [`cluster:${String(node.clusterId)}`] };
  },

  async prepare({ services, signal }, paras) {
    const { node } = await chosenNode(services, paras);
    const at = await agentAt(services, node.hostaddr);
    const { cpuLimit: before } = await services.agents.at(at).instance(node.instanceId, { signal });
    return { instanceId: node.instanceId, agentPort: at.port, before };
  },

  plan: (paras, target) =>
    serial('update_instance_cgroup', `limit the processor time of ${colonAddress(addressOf(paras))}`, [
      limitStep(paras, target),
    ]),

  attachment: () => ({}),
});

const addressOf = ({ ip, port: number }: UpdateInstanceCgroupParas): HostPort => ({
  hostaddr: ip,
  port: number,
});

/** @throws KlusterError instance_address_unknown, also when the node is one of the other engine */
async function chosenNode(services: Services, paras: UpdateInstanceCgroupParas): Promise<ClusterNode> {
  const found = await nodeAt(services, addressOf(paras));
  const type = found.kind === 'storage' ? 'mysql' : 'pg';
  if (type === paras.type) return found;
  throw new KlusterError(
    'instance_address_unknown',
    `paras.type is ${paras.type}, but ${colonAddress(found.node)} is a ${found.kind} node (${type})`,
  );
}

function limitStep(paras: UpdateInstanceCgroupParas, target: Prepared): Step<Services> {
  const { cpu_cores: cores, cgroup_mode: mode = 'quota' } = paras;
  const limit: CpuLimit | null = cores === 0 ? null : { cores, mode };
  return {
    kind: 'step',
    key: 'limit',
    title: limit === null ? 'lift the limit' : `set a ${mode} of ${String(cores)} cores`,
    deadlineMs: 30_000,
    retry: restartRetry,
    run: async (context) => {
      await applyLimit(context, { paras, target, limit });
      return null;
    },
    async undo(context) {
      const { services, signal } = context;
      const agent = services.agents.at({ hostaddr: paras.ip, port: target.agentPort });
      const { cpuLimit: now } = await agent.instance(instanceId(target.instanceId), { signal });
      const change = { paras, target, limit: target.before };
      // A machine that cannot limit anything has not done so either.
      if (sameLimit(now, target.before)) await record(context, change);
      else await applyLimit(context, change);
    },
  };
}

interface Change {
  readonly paras: UpdateInstanceCgroupParas;
  readonly target: Prepared;
  readonly limit: CpuLimit | null;
}

/** Set in the kernel, read back, and recorded for consoles. */
async function applyLimit(context: StepContext<Services>, change: Change): Promise<void> {
  const { services, signal } = context;
  const { paras, target, limit } = change;
  const agent = services.agents.at({ hostaddr: paras.ip, port: target.agentPort });
  const found = await agent.setCpuLimit(instanceId(target.instanceId), limit, { signal });
  if (!sameLimit(limit, found)) {
    throw new KlusterError(
      'cgroup_unavailable',
      `the kernel has ${describe(found)} for ${colonAddress(addressOf(paras))} after ${describe(limit)} was set`,
    );
  }
  await record(context, change);
}

async function record({ services, signal }: StepContext<Services>, { paras, limit }: Change): Promise<void> {
  const { catalog } = services;
  await catalog.database.write(async (sql) => {
    const { kind, node } = await readNodeAt(services, sql, addressOf(paras));
    if (kind === 'storage') await catalog.storageNodes.setCpuCores(sql, node.id, limit?.cores ?? 0);
    else await catalog.computeNodes.setCpuCores(sql, node.id, limit?.cores ?? 0);
  }, signal);
}

/** The kernel keeps quotas in microseconds and weights in whole numbers. */
const kernelPrecision = 0.02;

function sameLimit(left: CpuLimit | null, right: CpuLimit | null): boolean {
  if (left === null || right === null) return left === right;
  return left.mode === right.mode && Math.abs(left.cores - right.cores) <= kernelPrecision;
}

const describe = (limit: CpuLimit | null): string =>
  limit === null ? 'no limit' : `a ${limit.mode} of ${String(limit.cores)} cores`;
