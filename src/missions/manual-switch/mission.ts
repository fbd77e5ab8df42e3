import { Check } from 'typebox/value';
import { shardId } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import { underscoreAddress, type StorageNode } from '../../core/model.ts';
import { chooseSuccessor } from '../../ha/choose-successor.ts';
import { observeNode } from '../../ha/observe-node.ts';
import { readShardContext } from '../../ha/shard-context.ts';
import { defineMission, type JobView } from '../../jobs/mission.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import {
  manualSwitchParas,
  manualSwitchPrepared,
  type ManualSwitchParas,
  type ManualSwitchPrepared,
} from './parameters.ts';
import { manualSwitchPlan, switchSteps } from './plan.ts';
import { readRequest, requireRequest } from './request.ts';

/** Moves the primary of a shard to another node while both live, with a short pause of writes. */
export const manualSwitch = defineMission<Services>()({
  jobType: 'manual_switch',
  aliases: [],
  summary: 'Make another node the primary of a shard',
  paras: manualSwitchParas,
  prepared: manualSwitchPrepared,
  example: { cluster_id: '1', shard_id: '1', master_hostaddr: '192.168.0.2_57001' },
  doneText: 'OK',
  async admit(services, paras) {
    const request = await readRequest(services, paras);
    return 'shard' in request
      ? { admitted: true, locks: [`cluster:${String(request.cluster.id)}`] }
      : { admitted: false, violations: request };
  },
  prepare: chooseTarget,
  plan: (_, prepared) => manualSwitchPlan(prepared),
  attachment,
});

async function chooseTarget(
  { services, signal }: StepContext<Services>,
  paras: ManualSwitchParas,
): Promise<ManualSwitchPrepared> {
  const { shard, cluster, master, assigned } = await requireRequest(services, paras, signal);
  const context = await readShardContext(services.catalog, shard.id, signal);
  const serving = context.nodes.filter(({ status }) => status === 'active' || status === 'inactive');
  const observe = (node: StorageNode) => observeNode(node, cluster.haMode, context.account, signal);
  const [primary, ...others] = await Promise.all([
    observe(master),
    ...serving.filter(({ id }) => id !== master.id).map(observe),
  ]);
  const target = chooseSuccessor(
    {
      haMode: cluster.haMode,
      fullsyncLevel: shard.fullsyncLevel,
      primary,
      others,
      isOnline: ({ hostaddr }) => services.liveness.isOnline(hostaddr),
    },
    assigned,
  );
  const place = ({ id, hostaddr, port }: StorageNode) => ({ id, hostaddr, port });
  return { shardId: shardId(shard.id), shardName: shard.name, old: place(master), target: place(target) };
}

/** Consoles wait for the first attachment with `job_step`, so there is one from the beginning. */
function attachment(job: JobView): JsonObject {
  const { prepared } = job;
  const current = switchSteps.find(({ path }) =>
    job.steps.some((step) => step.path === path && step.state !== 'done' && step.state !== 'skipped'),
  );
  const step = job.status === 'done' ? switchSteps.at(-1) : current;
  return {
    job_step: switchSteps.map(({ name }) => name).join(','),
    step: step?.name ?? 'check',
    ...(Check(manualSwitchPrepared, prepared)
      ? {
          shard_id: String(prepared.shardId),
          old_master_host: underscoreAddress(prepared.old),
          ...(job.status === 'done' ? { new_master_host: underscoreAddress(prepared.target) } : {}),
        }
      : {}),
  };
}
