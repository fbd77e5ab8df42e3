import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import type { Credential } from '../../src/catalog/credentials.ts';
import { ManagerClient } from '../../src/client/manager.ts';
import { isJsonObject } from '../../src/core/json.ts';
import type { JobJson } from '../../src/core/rest-types.ts';
import { ensureHome, homeAt, type Home } from '../../src/manager/home.ts';
import { writeHomeConfig } from '../../src/manager/home-config.ts';
import { installationSecret } from '../../src/manager/secrets.ts';
import { startManager, type Manager } from '../../src/manager/start.ts';
import { catalogAccount } from './catalog-account.ts';
import { endEngines } from './end-engines.ts';
import { expectHealthy } from './healthy.ts';
import { configureLoopback } from './loopback.ts';
import { templateCache } from './template-cache.ts';

/** Addresses and ports of one test file; files that run at the same time use different blocks. */
export interface InstallationLayout {
  /** E.g. `127.0.9`: the manager is .1, machines are .11, .12, … */
  readonly network: string;
  readonly machines: number;
  /** Machines that have a network of their own: the command that a program is started with there. */
  readonly enter?: (hostaddr: string) => readonly string[];
  /** Installations that one process has at the same time use different ones. Default: that of the worker of the tests. */
  readonly portBlock?: number;
}

export interface TestMachine {
  readonly hostaddr: string;
  readonly dataDirectory: string;
  readonly stateDirectory: string;
}

const agentPort = 35_002;

/** Two files at a time run in workers 1 and 2. */
const worker = Number(process.env['VITEST_POOL_ID'] ?? '0');

/**
 * Another range for each machine: group replication binds its port on every address of the host (XCom ignores the address
 * part of group_replication_local_address when it listens), so "machines" of one host may not share ports, nor may files
 * of tests that run at the same time. Those of storage nodes are above what Linux gives to outgoing connections.
 */
export function portRange(machineType: MachineType, index: number, block = worker): string {
  const first = (machineType === 'storage' ? 61_000 : 47_000) + block * 600 + index * 60;
  return `${String(first)}-${String(first + 59)}`;
}

type MachineType = 'storage' | 'computer';

/** What create_machine takes: everything of the machine is in its one directory. */
export function machineParas(
  { hostaddr, dataDirectory }: Pick<TestMachine, 'hostaddr' | 'dataDirectory'>,
  machineType: MachineType,
  ports: string,
): Record<string, string> {
  return {
    hostaddr,
    machine_type: machineType,
    port_range: ports,
    rack_id: '1',
    datadir: dataDirectory,
    logdir: dataDirectory,
    wal_log_dir: dataDirectory,
    comp_datadir: dataDirectory,
    total_mem: '16384',
    total_cpu_cores: '8',
  };
}

/** A whole installation in this process: one manager, an agent on each of several loopback addresses, real engines. */
export class TestInstallation {
  readonly home: Home;
  readonly network: string;
  readonly machines: readonly TestMachine[];
  readonly client: ManagerClient;
  readonly #agents = new Map<string, Agent>();
  #manager: Manager | null = null;
  #unconfigure: () => Promise<void> = () => Promise.resolve();

  private constructor(home: Home, layout: InstallationLayout) {
    this.home = home;
    this.network = layout.network;
    this.machines = Array.from({ length: layout.machines }, (_, index) => {
      const hostaddr = `${layout.network}.${String(index + 11)}`;
      return {
        hostaddr,
        dataDirectory: join(home.dataDirectory, hostaddr),
        stateDirectory: join(home.directory, `agent-${String(index + 11)}`),
      };
    });
    this.client = new ManagerClient({ url: this.url });
  }

  /** Starts everything and registers every machine as storage and computer. `directory` is the home's. */
  static async start(directory: string, layout: InstallationLayout): Promise<TestInstallation> {
    const installation = await TestInstallation.prepare(directory, layout);
    for (const machine of installation.machines) await installation.startAgent(machine.hostaddr);
    await installation.startManager();
    for (const machine of installation.machines) await installation.register(machine);
    return installation;
  }

  /** Only the files: nothing runs yet. */
  static async prepare(directory: string, layout: InstallationLayout): Promise<TestInstallation> {
    const home = homeAt(directory);
    await ensureHome(home);
    await installationSecret(home);
    await writeHomeConfig(home, {
      bind: `${layout.network}.1`,
      port: 35_001,
      agentPort,
      hostaddr: `${layout.network}.1`,
      tokens: [],
    });
    await symlink(await templateCache(), join(home.agentDirectory, 'templates'));
    const installation = new TestInstallation(home, layout);
    installation.#unconfigure = await configureLoopback(
      installation.machines.map(({ hostaddr }) => hostaddr),
    );
    for (const machine of installation.machines) await mkdir(machine.dataDirectory, { recursive: true });
    return installation;
  }

  get url(): string {
    return `http://${this.network}.1:35001`;
  }

  async startManager(): Promise<void> {
    this.#manager = await startManager({ home: this.home.directory, logger: logger(this.home.managerLog) });
  }

  async stopManager(): Promise<void> {
    await this.#manager?.close();
    this.#manager = null;
  }

  async startAgent(hostaddr: string): Promise<void> {
    const machine = this.machine(hostaddr);
    const agent = await startAgent({
      hostaddr,
      port: agentPort,
      stateDirectory: machine.stateDirectory,
      secretFile: this.home.secretFile,
      templateDirectory: await templateCache(),
      logger: logger(join(this.home.logDirectory, `agent-${hostaddr}.log`)),
    });
    this.#agents.set(hostaddr, agent);
  }

  async stopAgent(hostaddr: string): Promise<void> {
    await this.#agents.get(hostaddr)?.close();
    this.#agents.delete(hostaddr);
  }

  machine(hostaddr: string): TestMachine {
    const machine = this.machines.find((candidate) => candidate.hostaddr === hostaddr);
    if (machine === undefined) throw new Error(`the test has no machine ${hostaddr}`);
    return machine;
  }

  async register(machine: TestMachine, overrides: Record<string, string> = {}): Promise<void> {
    for (const machineType of ['storage', 'computer'] as const) {
      const ports = portRange(machineType, this.machines.indexOf(machine));
      await this.done('create_machine', { ...machineParas(machine, machineType, ports), ...overrides });
    }
  }

  /** Submits a job and waits for its end. */
  async run(jobType: string, paras: Record<string, unknown>): Promise<JobJson> {
    const id = await this.submit(jobType, paras);
    return this.ended(id);
  }

  /** As `run`; a job that does not end done fails the test with its error. */
  async done(jobType: string, paras: Record<string, unknown>): Promise<JobJson> {
    const job = await this.run(jobType, paras);
    if (job.status !== 'done') {
      throw new Error(`${jobType} ${String(job.job_id)} ended ${job.status}: ${job.error?.message ?? ''}`);
    }
    return job;
  }

  async submit(jobType: string, paras: Record<string, unknown>): Promise<number> {
    const reply = await fetch(`${this.url}/api/v1/jobs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ job_type: jobType, paras, user_name: 'test' }),
    });
    const body: unknown = await reply.json();
    if (reply.status !== 202) throw new Error(`${jobType} was refused: ${JSON.stringify(body)}`);
    if (!isJsonObject(body)) throw new Error(`the answer is ${JSON.stringify(body)}`);
    return Number(body['job_id']);
  }

  async ended(id: number, deadlineMs = 120_000): Promise<JobJson> {
    const deadline = Date.now() + deadlineMs;
    for (;;) {
      const job = await this.client.job(id);
      if (job.status === 'done' || job.status === 'failed') return job;
      if (Date.now() > deadline)
        throw new Error(`job ${String(id)} has not ended: ${JSON.stringify(job.steps)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** An account that the manager made; read from the catalog with the keys of the home. */
  account(scope: string, purpose: string): Promise<Credential> {
    return catalogAccount(this.home, scope, purpose);
  }

  /** What the API's own clients use. */
  async emit(request: Record<string, unknown>): Promise<Record<string, unknown>> {
    const reply = await fetch(`${this.url}/HttpService/Emit`, {
      method: 'POST',
      body: JSON.stringify(request),
    });
    return (await reply.json()) as Record<string, unknown>;
  }

  /** What the doctor finds fails the test. Ends all processes; files go with the scratch directory. */
  async close(): Promise<void> {
    try {
      const isWhole = this.#manager !== null && this.#agents.size === this.machines.length;
      if (isWhole) await expectHealthy(this.client);
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    await this.stopManager();
    for (const [hostaddr] of this.#agents) await this.stopAgent(hostaddr);
    await endEngines(this.home.directory, this.machines);
    await this.#unconfigure();
  }
}

function logger(file: string) {
  return pino({ level: 'info' }, pino.destination({ dest: file, sync: true }));
}
