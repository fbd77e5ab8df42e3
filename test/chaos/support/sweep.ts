import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../../src/core/errors/kluster-error.ts';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { askDoctor, expectHealthy } from '../../support/healthy.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';
import { expectWorkingCluster } from '../../support/working-cluster.ts';
import { missionCases, sweepMachines, type MissionCase } from './mission-cases.ts';
import { Random } from './random.ts';
import { StepKiller } from './step-killer.ts';
import { struck } from './strike.ts';

export const victims = ['manager', 'agent', 'engine', 'metadata'] as const;
export type Victim = (typeof victims)[number];
/** What the job is to come to: `undone` jobs are made to fail as late as they can be undone. */
export type Way = 'undone' | 'done';

/** One job whose manager, or another process, dies at some of its fault points. */
export interface Attempt {
  readonly mission: MissionCase;
  readonly victim: Victim;
  readonly way: Way;
  /** Of the fault points, one in so many; 1: every one. */
  readonly oneIn: number;
}

export interface SweepOptions {
  readonly directory: string;
  readonly network: string;
  /** In the order of `missionCases`, as each job type leads to where the next one begins. */
  readonly attempts: readonly Attempt[];
  readonly seed: number;
  readonly note: (text: string) => void;
  /** Attempts that have not begun after so long are left out. */
  readonly budgetMs?: number;
}

export interface SweepResult {
  readonly kills: number;
  /** Jobs that did not come to the end that they had to, or left something. */
  readonly failures: readonly string[];
}

/** Every job type, both ways, with one victim. */
export function everyAttempt(
  victim: Victim,
  jobTypes: ReadonlySet<string> | null,
  oneIn: number,
): readonly Attempt[] {
  const chosen = missionCases.filter(({ jobType }) => jobTypes === null || jobTypes.has(jobType));
  return chosen.flatMap((mission) =>
    (['undone', 'done'] as const).map((way) => ({ mission, victim, way, oneIn })),
  );
}

/**
 * Runs jobs while something of the installation is killed at their fault points. Each must end, done or with everything
 * undone, and leave nothing that the doctor finds. After one that does not, the next begins in a new installation.
 */
export async function sweep(options: SweepOptions): Promise<SweepResult> {
  const failures: string[] = [];
  let kills = 0;
  let ground: Ground | null = null;
  const until = performance.now() + (options.budgetMs ?? Infinity);
  try {
    for (const [index, attempt] of options.attempts.entries()) {
      if (performance.now() > until) break;
      const what = `${attempt.mission.jobType}, ${attempt.way}, killing ${attempt.victim}s`;
      try {
        ground ??= await Ground.prepare(options, index);
        const ended: Ended = await ground.run(attempt, index);
        kills += ended.kills;
        const { status, error } = ended.job;
        options.note(`${what}: ${status} after ${String(ended.kills)} kills ${error?.message ?? ''}`);
        if (attempt.mission === missionCases.at(-1) && attempt.way === 'done') {
          await ground.end();
          ground = null;
        }
      } catch (error) {
        failures.push(`${what}: ${errorText(error)}`);
        options.note(`FAILED ${failures.at(-1) ?? ''}`);
        await ground?.end();
        ground = null;
      }
    }
    return { kills, failures };
  } finally {
    await ground?.end();
  }
}

type Shape = Exclude<MissionCase['shape'], undefined>;

interface Ended {
  readonly job: JobJson;
  readonly kills: number;
}

/** An installation, and the job types that have led it to where it is. */
class Ground {
  readonly #installation: ProcessInstallation;
  readonly #random: Random;
  readonly #seed: number;
  readonly #killer: StepKiller;
  readonly #done = new Set<string>();
  /** Null while there is no cluster. */
  #shape: Shape = null;

  private constructor(installation: ProcessInstallation, seed: number) {
    this.#installation = installation;
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#killer = new StepKiller(installation, this.#random);
  }

  static async prepare({ directory, network, seed }: SweepOptions, index: number): Promise<Ground> {
    const own = join(directory, String(index));
    await mkdir(own);
    const installation = await ProcessInstallation.start(own, { network, machines: sweepMachines });
    return new Ground(installation, seed);
  }

  async run(attempt: Attempt, index: number): Promise<Ended> {
    const { mission, way } = attempt;
    for (const jobType of mission.needs ?? []) await this.#calmly(jobType);
    const ended = await this.#killing(attempt, index);
    await this.#killer.settled();
    expectEnd(ended.job, attempt);
    if (ended.job.status === 'done') this.#reached(mission);
    await this.#expectClean();
    if (way === 'done' && ended.job.status !== 'done') await this.#calmly(mission.jobType);
    return ended;
  }

  async end(): Promise<void> {
    await this.#killer.settled();
    await this.#installation.end();
  }

  async #calmly(jobType: string): Promise<void> {
    const mission = missionCases.find((one) => one.jobType === jobType);
    if (mission === undefined || this.#done.has(jobType)) return;
    const job = await this.#installation.run(jobType, await this.#paras(mission));
    if (job.status !== 'done') throw new Error(`${jobType}, left alone, ended ${text(job)}`);
    this.#reached(mission);
  }

  #reached({ jobType, shape }: MissionCase): void {
    this.#done.add(jobType);
    if (shape !== undefined) this.#shape = shape;
  }

  async #paras(mission: MissionCase) {
    const { client, machines } = this.#installation;
    const [cluster = null] = await client.clusters();
    return mission.paras({ cluster, machines });
  }

  async #killing({ mission, victim, way, oneIn }: Attempt, index: number): Promise<Ended> {
    const { jobType } = mission;
    const paras = await this.#paras(mission);
    const verb = victim === 'manager' ? 'kill' : 'stop';
    const where =
      oneIn === 1 ? `${verb}-everywhere` : `${verb}-sampled:${String(oneIn)}:${String(this.#seed)}`;
    const fails = `fail:${jobType}:point-of-no-return:before,fail:${jobType}:end:before`;
    const faults = {
      mode: way === 'undone' ? `${where},${fails}` : where,
      file: join(this.#installation.home.directory, `fault-points-${String(index)}`),
    };
    if (victim === 'manager') return this.#installation.survive(jobType, paras, faults);
    const strike = (title: string | undefined) => this.#killer.kill(victim, title);
    return struck(this.#installation, { jobType, paras }, { faults, strike });
  }

  async #expectClean(): Promise<void> {
    const { client } = this.#installation;
    try {
      await expectHealthy(client, 90_000);
    } catch (error) {
      throw new Error(`it left ${JSON.stringify(await askDoctor(client), null, 1)}`, { cause: error });
    }
    const [cluster] = await client.clusters();
    if ((cluster === undefined) !== (this.#shape === null))
      throw new Error('there is a cluster too much, or one is gone');
    if (cluster === undefined || this.#shape === null) return expectNothingLeft(this.#installation);
    const [shards, nodes, comps] = this.#shape;
    await expectWorkingCluster(this.#installation, cluster.cluster_id, { shards, nodes, comps });
  }
}

const text = (job: JobJson): string => `${job.status}: ${JSON.stringify(job, null, 1)}`;

function expectEnd(job: JobJson, { mission, way, victim }: Attempt): void {
  const wanted = way === 'undone' ? 'failed' : 'done';
  // A manager that dies costs time only. What a job works on may be away for longer than it is patient.
  const mayFail = mission.mayFail === true || victim !== 'manager';
  if (job.status !== wanted && !(mayFail && job.status === 'failed'))
    throw new Error(`it ended ${text(job)}`);
  const left = job.steps.filter(({ state }) => state === 'undo_failed');
  if (left.length > 0 || job.error?.message.includes('Not undone') === true) {
    throw new Error(`it was not undone: ${text(job)}`);
  }
}
