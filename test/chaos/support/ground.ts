import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobJson } from '../../../src/core/rest-types.ts';
import { readTextFile } from '../../../src/manager/json-file.ts';
import { ProcessInstallation } from '../../support/installation-process.ts';
import { askDoctor, expectHealthy, isIdle } from '../../support/healthy.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';
import { expectWorkingCluster } from '../../support/working-cluster.ts';
import { answered } from './answered.ts';
import { victims, type Attempt } from './attempt.ts';
import type { ClusterShape, MissionCase, SweepState } from './mission-case.ts';
import { missionCases, sweepMachines } from './mission-cases.ts';
import { Random } from './random.ts';
import { StepKiller } from './step-killer.ts';
import { struck } from './strike.ts';

/** Each time the job gets past at least one more of its points; more often than any job has some where it fails. */
const maximumRounds = 40;

/** For a job that nobody disturbs, beside everything else that the machine has to do. */
const aloneMs = 300_000;

/** For a manager that has just started, on a machine that has much else to do. */
const answerMs = 120_000;

/** The manager may have to make a node again by itself. */
const settleMs = 120_000;

export interface GroundOptions {
  readonly directory: string;
  readonly network: string;
  /** Of the machines; see `InstallationLayout`. */
  readonly portBlock?: number;
  readonly seed: number;
}

/** What an attempt came to. */
export interface Ended {
  readonly job: JobJson;
  readonly kills: number;
  /** Fault points that the jobs came to. */
  readonly points: number;
  /** Jobs that it took until one came through: past every point where something is to be killed. */
  readonly rounds: number;
}

/** An installation, and the cases that have led it to where it is. */
export class Ground {
  readonly #installation: ProcessInstallation;
  readonly #random: Random;
  readonly #seed: number;
  readonly #killer: StepKiller;
  /** Names of cases. Every machine is registered from the beginning. */
  readonly #done = new Set<string>(['create_machine']);
  /** Null while there is no cluster. */
  #shape: ClusterShape | null = null;

  private constructor(installation: ProcessInstallation, seed: number) {
    this.#installation = installation;
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#killer = new StepKiller(installation, this.#random);
  }

  static async prepare(options: GroundOptions, index: number): Promise<Ground> {
    const { directory, network, seed, portBlock } = options;
    const own = join(directory, String(index));
    await mkdir(own);
    const layout = { network, machines: sweepMachines, ...(portBlock === undefined ? {} : { portBlock }) };
    return new Ground(await ProcessInstallation.start(own, layout), seed);
  }

  /**
   * Runs the job again and again, each time killing at points that it has not come to before, until one comes through.
   * @throws Error when one does not end as it has to, leaves something, or fails although nothing was killed
   */
  async run(attempt: Attempt, index: number): Promise<Ended> {
    const { mission, victim } = attempt;
    for (const need of mission.needs ?? []) await this.#calmly(need);
    let kills = 0;
    for (let rounds = 1; rounds <= maximumRounds; rounds += 1) {
      await this.#aside(mission.before);
      const ended = await this.#killing(attempt, index);
      kills += ended.kills;
      await this.#killer.settled();
      expectEnd(ended.job, attempt, ended.kills);
      if (ended.job.status === 'done') this.#reached(mission);
      await this.#expectClean(mission);
      const isLast = victim === 'manager' || ended.kills === 0;
      if (isLast || isThrough(ended.job, attempt)) {
        return { job: ended.job, kills, rounds, points: await linesOf(this.#pointsFile(index)) };
      }
    }
    throw new Error(`it did not come through in ${String(maximumRounds)} attempts`);
  }

  async end(): Promise<void> {
    try {
      await this.#killer.settled();
    } finally {
      await this.#installation.end();
    }
  }

  /** What manager, agents and engines wrote. */
  async keepLogs(directory: string): Promise<void> {
    const { logDirectory, dataDirectory } = this.#installation.home;
    await cp(logDirectory, directory, { recursive: true });
    const names = await readdir(dataDirectory, { recursive: true });
    for (const name of names.filter((one) => one.endsWith('.log') || one.endsWith('.err')))
      await cp(join(dataDirectory, name), join(directory, 'engines', name.replaceAll('/', '_')));
  }

  async #calmly(name: string): Promise<void> {
    const mission = missionCases.find((one) => one.name === name);
    if (mission === undefined) throw new Error(`there is no case ${name}`);
    if (this.#done.has(name)) return;
    for (const need of mission.needs ?? []) await this.#calmly(need);
    await this.#alone(mission.jobType, mission.paras(await this.#state()));
    this.#reached(mission);
  }

  async #aside(job: MissionCase['before']): Promise<void> {
    const wanted = job?.(await this.#state());
    if (wanted !== undefined && wanted !== null) await this.#alone(wanted.jobType, wanted.paras);
  }

  async #alone(jobType: string, paras: JobJson['paras']): Promise<void> {
    const id = await this.#installation.submit(jobType, paras);
    const job = await this.#installation.ended(id, aloneMs);
    if (job.status !== 'done') throw new Error(`${jobType}, left alone, ended ${text(job)}`);
  }

  #reached({ name, shape, ends = [] }: MissionCase): void {
    this.#done.add(name);
    for (const ended of ends) this.#done.delete(ended);
    if (shape !== undefined) this.#shape = shape(this.#shape);
  }

  async #state(): Promise<SweepState> {
    const { client, machines } = this.#installation;
    const [cluster = null] = await answered(answerMs, () => client.clusters());
    return { cluster, machines };
  }

  async #killing(attempt: Attempt, index: number): Promise<Pick<Ended, 'job' | 'kills'>> {
    const { mission, victim } = attempt;
    const { jobType } = mission;
    const paras = mission.paras(await this.#state());
    const faults = {
      mode: modeOf(attempt, this.#seed),
      file: this.#pointsFile(index),
    };
    if (victim === 'manager') return this.#installation.survive(jobType, paras, faults);
    const strike = (title: string | undefined) => this.#killer.kill(victim, title);
    return struck(this.#installation, { jobType, paras }, { faults, strike });
  }

  #pointsFile(index: number): string {
    return join(this.#installation.home.directory, `fault-points-${String(index)}`);
  }

  async #expectClean(mission: MissionCase): Promise<void> {
    await this.#expectHealthy();
    if (mission.after !== undefined) {
      await this.#aside(mission.after);
      await this.#expectHealthy();
    }
    const { cluster } = await this.#state();
    if ((cluster === null) !== (this.#shape === null))
      throw new Error('there is a cluster too much, or one is gone');
    if (cluster === null || this.#shape === null) return expectNothingLeft(this.#installation);
    await expectWorkingCluster(this.#installation, cluster.cluster_id, this.#shape);
  }

  async #expectHealthy(): Promise<void> {
    const { client } = this.#installation;
    try {
      await answered(answerMs, () => expectHealthy(client, settleMs, isIdle));
    } catch (error) {
      throw new Error(`it left ${JSON.stringify(await askDoctor(client), null, 1)}`, { cause: error });
    }
  }
}

/** Which of the points: those of another seed are others. */
function modeOf({ mission, victim, way, oneIn }: Attempt, seed: number): string {
  const { jobType } = mission;
  const verb = victim === 'manager' ? 'kill' : 'stop';
  const first =
    (seed + missionCases.indexOf(mission) + victims.indexOf(victim) + (way === 'done' ? 1 : 0)) % oneIn;
  const fails = [`fail:${jobType}:point-of-no-return:before`, `fail:${jobType}:end:before`];
  const where = oneIn === 1 ? `${verb}-everywhere` : `${verb}-sampled:${String(oneIn)}:${String(first)}`;
  return [where, ...(way === 'undone' ? fails : [])].join(',');
}

async function linesOf(file: string): Promise<number> {
  return ((await readTextFile(file)) ?? '').trim().split('\n').length;
}

const text = (job: JobJson): string => `${job.status}: ${JSON.stringify(job, null, 1)}`;

/** Whether nothing but what was meant to end the job has ended it. */
function isThrough({ status, error }: JobJson, { way }: Attempt): boolean {
  return way === 'done' ? status === 'done' : error?.message.includes('fault injected') === true;
}

function expectEnd(job: JobJson, { mission, way, victim }: Attempt, kills: number): void {
  const wanted = way === 'undone' ? 'failed' : 'done';
  // A manager that dies costs time only. What a job works on may be away for longer than it is patient.
  const mayFail = mission.mayFail === true || (victim !== 'manager' && kills > 0);
  if (job.status !== wanted && !(mayFail && job.status === 'failed'))
    throw new Error(`it ended ${text(job)}`);
  const left = job.steps.filter(({ state }) => state === 'undo_failed');
  if (left.length > 0 || job.error?.message.includes('Not undone') === true) {
    throw new Error(`it was not undone: ${text(job)}`);
  }
}
