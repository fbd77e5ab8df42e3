import { join } from 'node:path';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { ProcessInstallation, type Faults } from '../../support/installation-process.ts';
import { askDoctor, expectHealthy } from '../../support/healthy.ts';
import { missionCases, sweepMachines, type MissionCase } from './mission-cases.ts';
import { StepKiller, type Victim } from './step-killer.ts';

export interface SweepOptions {
  readonly directory: string;
  readonly network: string;
  /** What dies: the manager at its fault points, or an agent or engine whenever a step begins. */
  readonly victim: 'manager' | Victim;
  /** Of the manager's fault points, one in so many; 1: every one. */
  readonly oneIn: number;
  readonly seed: number;
  readonly note: (text: string) => void;
}

export interface SweepResult {
  readonly kills: number;
  readonly jobs: readonly { readonly jobType: string; readonly status: string }[];
}

/**
 * Runs a job of every type while something of the installation is killed at its steps. Each job must end, done or with
 * everything undone, and leave nothing that the doctor finds. @throws Error naming the job otherwise
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const { directory, network, note } = options;
  const installation = await ProcessInstallation.start(directory, { network, machines: sweepMachines });
  const jobs: { readonly jobType: string; readonly status: string }[] = [];
  let kills = 0;
  try {
    for (const mission of missionCases) {
      const ended = await runCase(installation, mission, options);
      kills += ended.kills;
      const { status, error } = ended.job;
      note(`${mission.jobType}: ${status} after ${String(ended.kills)} kills ${error?.message ?? ''}`);
      jobs.push({ jobType: mission.jobType, status });
      if (status !== 'done' && mission.mayFail !== true) {
        throw new Error(`${mission.jobType} ended ${status}: ${JSON.stringify(ended.job, null, 1)}`);
      }
      await clean(installation, mission);
    }
    return { kills, jobs };
  } finally {
    await installation.end();
  }
}

async function clean(installation: ProcessInstallation, { jobType }: MissionCase): Promise<void> {
  try {
    await expectHealthy(installation.client, 90_000);
  } catch (error) {
    const report = await askDoctor(installation.client);
    throw new Error(`after ${jobType}: ${JSON.stringify(report, null, 1)}`, { cause: error });
  }
}

async function runCase(
  installation: ProcessInstallation,
  mission: MissionCase,
  { victim, oneIn, seed }: SweepOptions,
): Promise<{ readonly job: JobJson; readonly kills: number }> {
  const [cluster = null] = await installation.client.clusters();
  const paras = mission.paras({ cluster, machines: installation.machines });
  if (victim === 'manager') {
    const mode = oneIn === 1 ? 'kill-everywhere' : `kill-sampled:${String(oneIn)}:${String(seed)}`;
    const faults: Faults = {
      mode,
      file: join(installation.home.directory, `fault-points-${mission.jobType}`),
    };
    return installation.survive(mission.jobType, paras, faults);
  }
  const killer = new StepKiller(installation, victim, seed);
  const id = await installation.submit(mission.jobType, paras);
  killer.follow(id);
  try {
    return { job: await installation.ended(id, 300_000), kills: killer.kills };
  } finally {
    await killer.stop();
  }
}
