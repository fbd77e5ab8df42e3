import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import { underscoreAddress } from '../../core/model.ts';
import { defineMission, type JobView } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { chooseTarget } from './choose-target.ts';
import { manualSwitchParas, manualSwitchPrepared } from './parameters.ts';
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
  async prepare({ services, signal }, paras) {
    return chooseTarget(services, await requireRequest(services, paras, signal), signal);
  },
  plan: (_, prepared) => manualSwitchPlan(prepared),
  attachment,
});

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
