import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ManagerClient } from '../../src/client/manager.ts';
import type { Json } from '../../src/core/json.ts';
import type { JobJson } from '../../src/core/rest-types.ts';
import { ensureHome, homeAt, type Home } from '../../src/manager/home.ts';
import { managerUrl, writeHomeConfig, type HomeConfig } from '../../src/manager/home-config.ts';
import { installationSecret } from '../../src/manager/secrets.ts';
import { startKluster } from './kluster-program.ts';
import { shareTemplates } from './shared-templates.ts';
import { machineParas } from '../../test/support/installation.ts';

const agentPort = 35_002;
const portsOfMachine = 60;

/** A job that has ended, and how long its caller waited for that. */
export interface TimedJob {
  readonly job: JobJson;
  /** Milliseconds from before the request to after the event of the end. */
  readonly wallMs: number;
}

interface BenchMachines {
  readonly manager: string;
  readonly machines: readonly string[];
  /** The network namespace of a machine; absent: all are in this process's own. */
  readonly namespaceOf?: (machine: string) => string | undefined;
  readonly failover?: HomeConfig['failover'];
}

/**
 * An installation as operators have it: the manager and the agent of each machine are processes of their own, each with a
 * home of its own. The machines are loopback addresses.
 */
export class BenchInstallation {
  /** Of the manager. */
  readonly home: Home;
  readonly client: ManagerClient;

  private constructor(home: Home, client: ManagerClient) {
    this.home = home;
    this.client = client;
  }

  /** Starts everything and registers every machine for storage and compute nodes. Its files are below `directory`. */
  static async start(directory: string, at: BenchMachines): Promise<BenchInstallation> {
    const home = homeAt(join(directory, 'm'));
    await ensureHome(home);
    await installationSecret(home);
    const config: HomeConfig = {
      bind: at.manager,
      port: 35_001,
      agentPort,
      hostaddr: at.manager,
      tokens: [],
      // Namespaces of this host only can reach it.
      ...(at.namespaceOf !== undefined && { auth: 'none' as const }),
      ...(at.failover !== undefined && { failover: at.failover }),
    };
    await writeHomeConfig(home, config);
    await shareTemplates(home);
    const url = managerUrl(config);
    await startKluster(['manager', '--home', home.directory], {
      healthUrl: `${url}/healthz`,
      logFile: home.managerLog,
    });
    const installation = new BenchInstallation(home, new ManagerClient({ url }));
    for (const [index, hostaddr] of at.machines.entries()) {
      const agentHome = homeAt(join(directory, `a${String(index + 1)}`));
      await ensureHome(agentHome);
      await copyFile(home.secretFile, agentHome.secretFile);
      await shareTemplates(agentHome);
      await startKluster(['agent', '--home', agentHome.directory, '--hostaddr', hostaddr, '--manager', url], {
        healthUrl: `http://${hostaddr}:${String(agentPort)}/v1/health`,
        logFile: agentHome.agentLog,
        namespace: at.namespaceOf?.(hostaddr),
      });
      await installation.#register(hostaddr, index, agentHome.dataDirectory);
    }
    return installation;
  }

  async #register(hostaddr: string, index: number, data: string): Promise<void> {
    for (const [machineType, firstPort] of [
      ['storage', 57_000],
      ['computer', 47_000],
    ] as const) {
      // Group replication binds its port on every address of the host, so its machines may not share ports.
      const first = firstPort + index * portsOfMachine;
      const ports = `${String(first)}-${String(first + portsOfMachine - 1)}`;
      await this.run('create_machine', machineParas({ hostaddr, dataDirectory: data }, machineType, ports));
    }
  }

  /** Submits a job and follows it to its end; throws unless that is done. */
  async run(jobType: string, paras: Readonly<Record<string, Json>>): Promise<TimedJob> {
    const start = performance.now();
    const reply = await this.client.submit({ job_type: jobType, paras, user_name: 'bench' });
    if (!('job_id' in reply)) throw new Error(`${jobType} is not a job`);
    for await (const event of this.client.watch(reply.job_id)) if (event.type === 'end') break;
    const wallMs = performance.now() - start;
    const job = await this.client.job(reply.job_id);
    if (job.status !== 'done') throw new Error(`${jobType} ended ${job.status}: ${job.error?.message ?? ''}`);
    return { job, wallMs };
  }
}
