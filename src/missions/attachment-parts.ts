import type Type from 'typebox';
import { Check } from 'typebox/value';
import { underscoreAddress, type HostPort } from '../core/model.ts';
import type { JobView, StepView } from '../jobs/mission.ts';

/** Words that consoles compare in storage_state and computer_state. */
export type PartState = 'prepare' | 'dispatch' | 'ongoing' | 'done' | 'failed';

/** One side of a job (its shards, its compute nodes) as consoles show it. */
export interface JobPart {
  readonly state: PartState;
  /** A number, unlike the error_code of a reply. */
  readonly errorCode: number;
  readonly errorInfo: string;
}

const failedStates: ReadonlySet<StepView['state']> = new Set(['failed', 'undoing', 'undone', 'undo_failed']);

/** The state of all steps for which `belongs` holds. */
export function jobPart(job: JobView, belongs: (path: string) => boolean): JobPart {
  const steps = job.steps.filter((step) => belongs(step.path));
  const failed = steps.find((step) => step.state === 'failed' || step.state === 'undo_failed');
  const code = job.error?.code ?? 0;
  if (job.status === 'done') return { state: 'done', errorCode: 0, errorInfo: 'OK' };
  if (job.status === 'failed' || steps.some((step) => failedStates.has(step.state))) {
    const reason = failed?.reason ?? job.error?.message ?? 'undone because another part of the job failed';
    return { state: 'failed', errorCode: code, errorInfo: reason };
  }
  return { state: progressState(steps), errorCode: 0, errorInfo: 'OK' };
}

function progressState(steps: readonly StepView[]): PartState {
  if (steps.every((step) => step.state === 'waiting')) return 'prepare';
  return steps.every((step) => step.state === 'done') ? 'done' : 'ongoing';
}

/** The output of a finished step; undefined while it has none of this form. */
export function outputOf<Schema extends Type.TSchema>(
  job: JobView,
  path: string,
  schema: Schema,
): Type.Static<Schema> | undefined {
  const output: unknown = job.steps.find((step) => step.path === path)?.output;
  return Check(schema, output) ? output : undefined;
}

/** `ip_port;ip_port;` — consoles cut the last character, so it must be there. */
export function hostList(nodes: readonly HostPort[]): string {
  return nodes.map((node) => `${underscoreAddress(node)};`).join('');
}
