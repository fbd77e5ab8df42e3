import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import { underscoreAddress } from '../../core/model.ts';
import type { JobView, StepView } from '../../jobs/mission.ts';
import { jobPart, outputOf } from '../attachment-parts.ts';
import { securedTransactions } from '../topology/errant-transactions.ts';
import { rebuildNodePrepared, rebuildSteps, stepPath, type RebuildingNode } from './prepared.ts';

/** One entry per node under its `ip_port`, and the names of the steps that `step` there may have. */
export function rebuildNodeAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(rebuildNodePrepared, prepared)) return null;
  const nodes = prepared.waves.flatMap((wave, index) =>
    wave.map((node) => [underscoreAddress(node), nodeEntry(job, index, node)] as const),
  );
  return {
    cluster_id: String(prepared.clusterId),
    shard_id: String(prepared.shardId),
    job_step: [...rebuildSteps, 'done'].join(','),
    ...Object.fromEntries(nodes),
  };
}

function nodeEntry(job: JobView, wave: number, node: RebuildingNode): JsonObject {
  const steps = rebuildSteps.flatMap((key) => {
    const step = job.steps.find(({ path }) => path === stepPath(wave, node, key));
    return step === undefined ? [] : [{ key, step }];
  });
  const paths = new Set(steps.map(({ step }) => step.path));
  const part = jobPart(job, (path) => paths.has(path));
  const secured = outputOf(job, stepPath(wave, node, 'save_errant'), securedTransactions);
  const isDone = steps.length > 0 && steps.every(({ step }) => step.state === 'done');
  return {
    status: isDone ? 'done' : nodeStatus(part.state),
    step: isDone ? 'done' : currentStep(steps),
    error_code: isDone ? 0 : part.errorCode,
    error_info: isDone ? 'OK' : part.errorInfo,
    errant_gtids: secured?.errant ?? '',
    errant_files: secured?.files ?? [],
  };
}

/** The words that consoles compare. */
function nodeStatus(state: ReturnType<typeof jobPart>['state']): string {
  switch (state) {
    case 'prepare':
      return 'no_start';
    case 'dispatch':
    case 'ongoing':
      return 'ongoing';
    case 'done':
    case 'failed':
      return state;
  }
}

/** The one that has begun last; the first before any has. */
function currentStep(steps: readonly { readonly key: string; readonly step: StepView }[]): string {
  const begun = steps.findLast(({ step }) => step.state !== 'waiting' && step.state !== 'skipped');
  return begun?.key ?? rebuildSteps[0];
}
