import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentOptions } from '../../src/agent/agent.ts';
import { ManagerClient } from '../../src/client/manager.ts';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { JobJson } from '../../src/core/rest-types.ts';
import { ensureHome, homeAt, type Home } from '../../src/manager/home.ts';
import { writeHomeConfig } from '../../src/manager/home-config.ts';
import { installationSecret } from '../../src/manager/secrets.ts';
import { endEngines } from './end-engines.ts';
import { machineParas, portRange, type InstallationLayout, type TestMachine } from './installation.ts';
import { expectHealthy } from './healthy.ts';
import { configureLoopback } from './loopback.ts';
import type { ManagerOrder } from './manager-main.ts';
import { compiled, served, startServer, type ServerProcess } from './server-process.ts';
import { templateCache } from './template-cache.ts';

const managerPort = 35_001;
const agentPort = 35_002;
const pollMs = 20;

/** What a manager is told to do to itself; see `src/jobs/fault-points.ts`. */
export interface Faults {
  readonly mode: string;
  /** Remembers the points at which a manager was killed. */
  readonly file: string;
}

/**
 * An installation whose manager and agents are processes of their own, so that each can be killed at any moment. Agents
 * of several "machines" on loopback addresses share one home; engines outlive them all until `close`.
 */
export class ProcessInstallation {
  readonly home: Home;
  readonly machines: readonly TestMachine[];
  readonly client: ManagerClient;
  readonly #network: string;
  readonly #enter: InstallationLayout['enter'];
  readonly #portBlock: InstallationLayout['portBlock'];
  readonly #agents = new Map<string, ServerProcess>();
  #manager: ServerProcess | null = null;
  /** The next manager, loaded and waiting for its turn. */
  #standby: Promise<ServerProcess> | null = null;
  #unconfigure: () => Promise<void> = () => Promise.resolve();

  private constructor(home: Home, layout: InstallationLayout) {
    this.home = home;
    this.#network = layout.network;
    this.#enter = layout.enter;
    this.#portBlock = layout.portBlock;
    this.machines = Array.from({ length: layout.machines }, (_, index) => {
      const hostaddr = `${layout.network}.${String(index + 11)}`;
      return {
        hostaddr,
        dataDirectory: join(home.dataDirectory, hostaddr),
        stateDirectory: join(home.directory, `agent-${String(index + 11)}`),
      };
    });
    this.client = new ManagerClient({ url: `http://${layout.network}.1:${String(managerPort)}` });
  }

  /** Everything runs and every machine is registered as storage and computer. */
  static async start(directory: string, layout: InstallationLayout): Promise<ProcessInstallation> {
    const home = homeAt(directory);
    await ensureHome(home);
    await installationSecret(home);
    const hostaddr = `${layout.network}.1`;
    await writeHomeConfig(home, {
      bind: hostaddr,
      port: managerPort,
      agentPort,
      hostaddr,
      tokens: [],
      // Addresses of a network that only this test has.
      ...(layout.enter === undefined ? {} : { auth: 'none' as const }),
    });
    await symlink(await templateCache(), join(home.agentDirectory, 'templates'));
    const installation = new ProcessInstallation(home, layout);
    try {
      await installation.#start();
    } catch (error) {
      await installation.end();
      throw error;
    }
    return installation;
  }

  async #start(): Promise<void> {
    if (this.#enter === undefined) {
      this.#unconfigure = await configureLoopback(this.machines.map(({ hostaddr }) => hostaddr));
    }
    for (const machine of this.machines) await mkdir(machine.dataDirectory, { recursive: true });
    await Promise.all([
      this.startManager(),
      ...this.machines.map(({ hostaddr }) => this.startAgent(hostaddr)),
    ]);
    for (const machine of this.machines) await this.#register(machine);
  }

  /** Resolves when the manager serves, or has ended: with faults it may die before. */
  async startManager(faults?: Faults): Promise<void> {
    const environment =
      faults === undefined ? {} : { KLUSTER_FAULT_MODE: faults.mode, KLUSTER_FAULT_FILE: faults.file };
    const server = await (this.#standby ?? this.#loadManager());
    const order: ManagerOrder = { home: this.home.directory, environment };
    server.tell(JSON.stringify(order));
    this.#standby = faults === undefined ? null : this.#loadManager();
    this.#manager = server;
    const outcome = await served(server, { host: `${this.#network}.1`, port: managerPort });
    if (outcome !== 'serving' && outcome !== 'SIGKILL') {
      throw new Error(`the manager ended with ${String(outcome)}; see ${this.home.managerLog}`);
    }
  }

  #loadManager(): Promise<ServerProcess> {
    const command = [process.execPath, compiled('manager-main')];
    return this.#clockFile('manager').then((clock) => startServer(command, this.home.managerLog, clock));
  }

  /** Sets the clock of the manager, also of those to come, or of the agent of a machine, by so many milliseconds. */
  async setClock(who: string, milliseconds: number): Promise<void> {
    const file = await this.#clockFile(who);
    const before = Number(await readFile(file, 'utf8'));
    await writeFile(file, String(before + milliseconds));
    const server = who === 'manager' ? this.#manager : this.#agents.get(who);
    server?.signal('SIGUSR2');
  }

  async #clockFile(who: string): Promise<string> {
    const file = join(this.home.directory, `clock-${who}`);
    if (!existsSync(file)) await writeFile(file, '0');
    return file;
  }

  async killManager(): Promise<void> {
    await this.#manager?.kill();
    this.#manager = null;
  }

  /** Resolves when the manager has died. */
  async managerEnded(): Promise<void> {
    await this.#manager?.ended;
  }

  async startAgent(hostaddr: string): Promise<void> {
    const machine = this.machine(hostaddr);
    const options: AgentOptions = {
      hostaddr,
      port: agentPort,
      stateDirectory: machine.stateDirectory,
      secretFile: this.home.secretFile,
      templateDirectory: await templateCache(),
    };
    const log = join(this.home.logDirectory, `agent-${hostaddr}.log`);
    const program = [process.execPath, compiled('agent-main'), JSON.stringify(options)];
    const command = [...(this.#enter?.(hostaddr) ?? []), ...program];
    const server = await startServer(command, log, await this.#clockFile(hostaddr));
    this.#agents.set(hostaddr, server);
    const outcome = await served(server, { host: hostaddr, port: agentPort });
    if (outcome !== 'serving')
      throw new Error(`the agent of ${hostaddr} ended with ${String(outcome)}; see ${log}`);
  }

  /** SIGKILL; its engines live on. */
  async killAgent(hostaddr: string): Promise<void> {
    await this.#agents.get(hostaddr)?.kill();
    this.#agents.delete(hostaddr);
  }

  /** SIGSTOP and SIGCONT: a machine that takes connections and answers nothing. */
  freezeAgent(hostaddr: string, frozen: boolean): void {
    this.#agents.get(hostaddr)?.signal(frozen ? 'SIGSTOP' : 'SIGCONT');
  }

  /** All agents that run. */
  get agents(): ReadonlySet<string> {
    return new Set(this.#agents.keys());
  }

  /** Undefined when no manager runs. */
  get managerPid(): number | undefined {
    return this.#manager?.isRunning === true ? this.#manager.pid : undefined;
  }

  get managerRuns(): boolean {
    return this.#manager?.isRunning === true;
  }

  machine(hostaddr: string): TestMachine {
    const machine = this.machines.find((candidate) => candidate.hostaddr === hostaddr);
    if (machine === undefined) throw new Error(`the test has no machine ${hostaddr}`);
    return machine;
  }

  async #register(machine: TestMachine): Promise<void> {
    const { hostaddr } = machine;
    for (const machineType of ['storage', 'computer'] as const) {
      const ports = portRange(machineType, this.machines.indexOf(machine), this.#portBlock);
      const job = await this.run('create_machine', machineParas(machine, machineType, ports));
      if (job.status !== 'done')
        throw new Error(`${hostaddr} was not registered: ${String(job.error?.message)}`);
    }
  }

  async submit(jobType: string, paras: JsonObject, idempotencyKey?: string): Promise<number> {
    const options = idempotencyKey === undefined ? {} : { idempotencyKey };
    const request = { job_type: jobType, paras, user_name: 'test' };
    const answer = await this.client.submit(request, options);
    if (!('job_id' in answer)) throw new Error(`${jobType} is not a job`);
    return answer.job_id;
  }

  /** Submits a job and waits for its end. */
  async run(jobType: string, paras: JsonObject): Promise<JobJson> {
    return this.ended(await this.submit(jobType, paras));
  }

  async ended(id: number, deadlineMs = 90_000): Promise<JobJson> {
    return this.when(id, 'ended', ({ phase }) => phase === 'ended', deadlineMs);
  }

  /** The job as soon as the condition holds for it. */
  async when(
    id: number,
    what: string,
    holds: (job: JobJson) => boolean,
    deadlineMs = 30_000,
  ): Promise<JobJson> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const job = await this.client.job(id);
      if (holds(job)) return job;
      if (performance.now() > deadline || job.phase === 'ended')
        throw new Error(`job ${String(id)} is not "${what}": ${JSON.stringify(job, null, 1)}`);
      await sleep(pollMs);
    }
  }

  /**
   * Submits a job to managers that kill themselves as `faults` says, starting the next one each time, until one lives
   * to see the job's end. Gives the job and the number of managers that died.
   */
  async survive(
    jobType: string,
    paras: JsonObject,
    faults: Faults,
  ): Promise<{ readonly job: JobJson; readonly kills: number }> {
    const key = randomUUID();
    await this.killManager();
    for (let kills = 0; kills < maximumKills; kills += 1) {
      await this.startManager(faults);
      const job = await Promise.race([this.#patiently(jobType, paras, key), this.#death()]);
      if (job !== null) {
        await this.killManager();
        await this.startManager();
        return { job: await this.client.job(job.job_id), kills };
      }
    }
    throw new Error(`${jobType} did not end in spite of ${String(maximumKills)} new managers`);
  }

  async #death(): Promise<null> {
    await this.managerEnded();
    return null;
  }

  /** Null when the manager does not answer (any more). */
  async #patiently(jobType: string, paras: JsonObject, key: string): Promise<JobJson | null> {
    try {
      return await this.ended(await this.submit(jobType, paras, key));
    } catch (error) {
      const isGone = error instanceof KlusterError && error.kind === 'manager_unreachable';
      if (!isGone) throw error;
      await this.managerEnded();
      return null;
    }
  }

  /** What the doctor finds fails the test. Ends all processes; files go with the scratch directory. */
  async close(): Promise<void> {
    try {
      const isWhole = this.#manager?.isRunning === true && this.#agents.size === this.machines.length;
      if (isWhole) await expectHealthy(this.client);
    } finally {
      await this.end();
    }
  }

  /** As `close`, without asking the doctor. */
  async end(): Promise<void> {
    await this.killManager();
    await (await this.#standby)?.kill();
    for (const hostaddr of this.#agents.keys()) await this.killAgent(hostaddr);
    await endEngines(this.home.directory, this.machines);
    await this.#unconfigure();
  }
}

/** More than any job has fault points. */
const maximumKills = 150;
