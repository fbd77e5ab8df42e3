import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../core/json.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { ClusterJson, JobJson } from '../../core/rest-types.ts';
import type { MachineType } from '../../core/model.ts';
import type { Home } from '../../manager/home.ts';
import type { HomeConfig } from '../../manager/home-config.ts';
import { followJob } from '../commands/job-types.ts';
import { userName, type CliContext } from '../context.ts';
import type { ManagerApi } from '../manager-api.ts';
import { remark } from '../terminal.ts';
import { portRanges } from './choose-config.ts';

/** The nick name of the cluster that `kluster up` makes. */
const quickstartName = 'quickstart';

interface Installation {
  readonly context: CliContext;
  readonly api: ManagerApi;
  readonly home: Home;
  readonly config: HomeConfig;
}

/** Follows the unfinished job of this kind when there is one, else submits it. An interrupted `up` is continued so. */
async function followOrSubmit(
  { context, api }: Installation,
  wanted: {
    readonly jobType: string;
    readonly paras: JsonObject;
    readonly isSame: (paras: JsonObject) => boolean;
  },
): Promise<JobJson> {
  const id = (await unfinishedJob(api, wanted.jobType, wanted.isSame)) ?? (await submit(api, wanted));
  return followJob(context, api, { id, json: false });
}

async function unfinishedJob(
  api: ManagerApi,
  jobType: string,
  isSame: (paras: JsonObject) => boolean,
): Promise<number | undefined> {
  for (const status of ['not_started', 'ongoing']) {
    const { jobs } = await api.jobs({ job_type: jobType, status });
    for (const { job_id: id } of jobs) {
      const job = await api.job(id);
      if (isSame(job.paras)) return id;
    }
  }
  return undefined;
}

async function submit(
  api: ManagerApi,
  wanted: { readonly jobType: string; readonly paras: Json },
): Promise<number> {
  const { jobType, paras } = wanted;
  const reply = await api.submit({ job_type: jobType, paras, user_name: userName() });
  if (!('job_id' in reply)) throw new Error(`${jobType} is not a job`);
  return reply.job_id;
}

/** Registers this machine in both roles. */
export async function ensureMachine(installation: Installation): Promise<void> {
  const { api, home, config, context } = installation;
  const machines = await api.machines();
  const roles = machines.find((machine) => machine.hostaddr === config.hostaddr)?.roles ?? [];
  const ranges = portRanges(config);
  const data = (name: string): string => join(home.dataDirectory, name);
  const types: readonly MachineType[] = ['storage', 'computer'];
  for (const machineType of types.filter((type) => !roles.includes(type))) {
    remark(context.terminal, `registering ${config.hostaddr} as ${machineType} machine`);
    await followOrSubmit(installation, {
      jobType: 'create_machine',
      paras: {
        hostaddr: config.hostaddr,
        machine_type: machineType,
        port_range: ranges[machineType],
        rack_id: '0',
        datadir: data('storage'),
        logdir: data('binlog'),
        wal_log_dir: data('redo'),
        comp_datadir: data('compute'),
        // Empty: as the agent reports it.
        total_mem: '',
        total_cpu_cores: '',
      },
      isSame: (paras) => paras['hostaddr'] === config.hostaddr && paras['machine_type'] === machineType,
    });
  }
}

export async function findQuickstart(api: ManagerApi): Promise<ClusterJson | undefined> {
  return (await api.clusters()).find((cluster) => cluster.nick_name === quickstartName);
}

/** Makes the cluster `quickstart` unless it exists. */
export async function ensureQuickstart(installation: Installation): Promise<ClusterJson> {
  const { api, config, context } = installation;
  const isSame = (paras: JsonObject): boolean => paras['nick_name'] === quickstartName;
  const making = await unfinishedJob(api, 'create_cluster', isSame);
  if (making === undefined) {
    const existing = await findQuickstart(api);
    if (existing !== undefined) return existing;
  }
  remark(context.terminal, `creating cluster ${quickstartName}: 1 shard of 3 nodes, 1 compute node`);
  await followOrSubmit(installation, {
    jobType: 'create_cluster',
    paras: {
      nick_name: quickstartName,
      ha_mode: 'rbr',
      shards: '1',
      nodes: '3',
      comps: '1',
      dbcfg: '1',
      fullsync_level: '1',
      storage_iplists: [config.hostaddr],
      computer_iplists: [config.hostaddr],
    },
    isSame,
  });
  const made = await findQuickstart(api);
  if (made === undefined) throw new Error(`the job is done, but there is no cluster ${quickstartName}`);
  return made;
}

const servingDeadlineMs = 90_000;
const pollMs = 200;

/** What of a cluster does not serve yet, in words. */
function notServing(cluster: ClusterJson): readonly string[] {
  const nodes = [...cluster.shards.flatMap((shard) => shard.nodes), ...cluster.comps];
  const down = nodes
    // An operator stopped it on purpose; it stays down.
    .filter((node) => node.status !== 'manual_stop')
    .filter((node) => node.pid === null || node.status !== 'active')
    .map((node) => `${node.hostaddr}:${String(node.port)} is ${node.pid === null ? 'down' : node.status}`);
  const headless = cluster.shards
    .filter((shard) => !shard.nodes.some((node) => node.role === 'source'))
    .map((shard) => `${shard.shard_name} has no primary`);
  return [...down, ...headless];
}

/** The primaries that do not take writes yet: after a restart the manager first makes sure which one may. */
async function notWritable(api: ManagerApi, cluster: ClusterJson): Promise<readonly string[]> {
  const primaries = cluster.shards.flatMap((shard) =>
    shard.nodes.filter((node) => node.role === 'source' && node.status === 'active'),
  );
  const answers = await Promise.all(
    primaries.map(async ({ hostaddr, port }) => {
      const reply = await api.submit({
        job_type: 'get_variable',
        paras: { hostaddr, port, variable: 'super_read_only' },
      });
      const value = 'job_id' in reply ? undefined : reply.attachment?.['value'];
      return value === 'OFF' ? [] : [`${hostaddr}:${String(port)} is read-only`];
    }),
  );
  return answers.flat();
}

async function notServingNow(api: ManagerApi): Promise<readonly string[]> {
  const { clusters } = await api.status();
  const missing = clusters.flatMap((cluster) => notServing(cluster));
  if (missing.length > 0) return missing;
  try {
    return (await Promise.all(clusters.map((cluster) => notWritable(api, cluster)))).flat();
  } catch (error) {
    // A node that has just started may not answer the first time.
    if (error instanceof KlusterError && error.kind !== 'manager_unreachable') return [error.message];
    throw error;
  }
}

/** Waits until every node of the clusters serves: after a restart of the machine that takes a moment. */
export async function waitUntilServing({ api, context }: Installation): Promise<void> {
  const deadline = performance.now() + servingDeadlineMs;
  for (;;) {
    const missing = await notServingNow(api);
    if (missing.length === 0) return;
    if (performance.now() > deadline) {
      throw new KlusterError(
        'server_start_failed',
        `not everything serves after ${String(servingDeadlineMs / 1000)} s: ${missing.join('; ')}`,
      );
    }
    await pause(pollMs, undefined, { signal: context.interrupted });
  }
}
