import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../../src/core/json.ts';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { answered } from './answered.ts';
import type { Faults, ProcessInstallation } from '../../support/installation-process.ts';

/** Kills something other than the manager; the step's title says what the job is at, when it is at a step. */
export type Strike = (title: string | undefined) => Promise<void>;

const pollMs = 10;
/** A job that has ended has a last fault point, a moment later. */
const lastPointMs = 300;
/** Steps go on while everything that they need is killed again and again; agents start it again later and later. */
const jobMs = 900_000;

/**
 * Runs a job under a manager that stops itself at its fault points (`stop-…`), strikes there, and lets the manager go
 * on. Gives the job at its end and the number of strikes. @throws Error when the job does not end
 */
export async function struck(
  installation: ProcessInstallation,
  job: { readonly jobType: string; readonly paras: JsonObject },
  { faults, strike }: { readonly faults: Faults; readonly strike: Strike },
): Promise<{ readonly job: JobJson; readonly kills: number }> {
  await installation.killManager();
  await installation.startManager(faults);
  const pid = installation.managerPid;
  if (pid === undefined) throw new Error('the manager has ended');
  let known: JobJson | undefined;
  const ended = new AbortController();
  const follow = async (): Promise<JobJson> => {
    try {
      const key = randomUUID();
      const { jobType, paras } = job;
      const id = await answered(jobMs, () => installation.submit(jobType, paras, key));
      const remember = (view: JobJson): boolean => {
        known = view;
        return view.phase === 'ended';
      };
      return await answered(jobMs, () => installation.when(id, 'ended', remember, jobMs));
    } finally {
      await sleep(lastPointMs);
      ended.abort();
    }
  };
  const titleAt = (point: string): string | undefined =>
    known?.steps.find(({ path }) => point.startsWith(`${job.jobType}:${path}:`))?.title;
  const strikes = async (): Promise<number> => {
    let kills = 0;
    while (!ended.signal.aborted) {
      if (await isStopped(pid)) {
        await strike(titleAt(await lastLine(faults.file)));
        kills += 1;
        process.kill(pid, 'SIGCONT');
      }
      await sleep(pollMs);
    }
    return kills;
  };
  // Nothing is struck any more when this returns, whatever has gone wrong.
  const [end, kills] = await Promise.allSettled([follow(), strikes()]);
  if (end.status === 'rejected') throw end.reason;
  if (kills.status === 'rejected') throw kills.reason;
  await installation.killManager();
  await installation.startManager();
  return { job: end.value, kills: kills.value };
}

async function lastLine(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim().split('\n').at(-1) ?? '';
}

/** Field 3 of /proc/<pid>/stat is T for a process that was stopped by a signal. */
async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}
