import type { JobJson } from '../../src/core/rest-types.ts';

interface Phase {
  readonly name: string;
  /** Which steps belong to it, by their paths. */
  readonly steps: RegExp;
}

const createPhases: readonly Phase[] = [
  { name: 'register', steps: /\/register$/ },
  { name: 'storage nodes started', steps: /\/nodes\/node_\d+$/ },
  { name: 'compute node started', steps: /\/computers\/comp_\d+$/ },
  { name: 'replication', steps: /\/replicate$/ },
  { name: 'proof of replication', steps: /\/prove$/ },
  { name: 'record', steps: /\/record$/ },
  { name: 'connect', steps: /\/connect\/comp_\d+$/ },
  { name: 'activate', steps: /\/activate$/ },
];

const deletePhases: readonly Phase[] = [
  { name: 'nodes removed', steps: /\/instances\// },
  { name: 'catalog', steps: /\/forget$/ },
];

export type PhaseTimes = ReadonlyMap<string, number>;

/**
 * Milliseconds of each phase of a job that has ended: from the first start of its steps to their last end. Phases may
 * overlap (compute nodes start while storage nodes do), so they do not add up to the whole.
 */
export function phaseTimes(job: JobJson): PhaseTimes {
  const phases = job.job_type === 'create_cluster' ? createPhases : deletePhases;
  const firstStart = Math.min(...job.steps.map((step) => time(step.started_at)));
  return new Map([
    ['prepare', firstStart - time(job.submitted_at)],
    ...phases.map((phase) => [phase.name, spanOf(job, phase)] as const),
  ]);
}

function spanOf(job: JobJson, phase: Phase): number {
  const steps = job.steps.filter(({ path }) => phase.steps.test(path));
  if (steps.length === 0) throw new Error(`${job.job_type} has no steps of the phase "${phase.name}"`);
  const start = Math.min(...steps.map((step) => time(step.started_at)));
  const end = Math.max(...steps.map((step) => time(step.ended_at)));
  return end - start;
}

function time(at: string | null): number {
  if (at === null) throw new Error('a job that has ended has a step or state without a time');
  return Date.parse(at);
}
