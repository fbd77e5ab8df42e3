import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { clusterScope, type Credential } from '../../src/catalog/credentials.ts';
import { AgentClients } from '../../src/client/agent.ts';
import type { Account, InstanceView } from '../../src/core/agent-protocol.ts';
import { instanceId, type ClusterId, type MachineId } from '../../src/core/ids.ts';
import type { MachineType } from '../../src/core/model.ts';
import { seal } from '../../src/core/seal.ts';
import type { Services } from '../../src/jobs/services.ts';
import { startMetadataServer } from './metadata-server.ts';
import { scratchDirectory } from './scratch.ts';

const secret = 'the secret of a test installation';
export const management: Credential = { user: 'kluster_management', password: 'Management-1-test' };
const monitor: Credential = { user: 'kluster_monitor', password: 'Monitor-1-test' };

const instanceIds = { storage: instanceId('shop-storage'), compute: instanceId('shop-compute') };

/** A cluster of one storage node and one compute node, real processes, registered by hand. */
export interface SmallCluster {
  readonly services: Services;
  readonly hostaddr: string;
  readonly metadata: { readonly hostaddr: string; readonly port: number };
  readonly clusterId: ClusterId;
  readonly clusterName: string;
  readonly storage: InstanceView;
  readonly compute: InstanceView;
  /** Ends the agent; the engines live on until `stop`. */
  silenceAgent(): Promise<void>;
  stop(): Promise<void>;
}

export interface SmallClusterPlace {
  readonly hostaddr: string;
  readonly agentPort: number;
  readonly storagePort: number;
  readonly computePort: number;
}

interface Registration {
  readonly services: Services;
  readonly place: SmallClusterPlace;
  readonly instances: { readonly storage: InstanceView; readonly compute: InstanceView };
}

async function registerMachines(services: Services, place: SmallClusterPlace, directory: string) {
  const { catalog } = services;
  const insert = (machineType: MachineType, first: number): Promise<MachineId> =>
    catalog.database.write((sql) =>
      catalog.machines.insert(sql, {
        hostaddr: place.hostaddr,
        machineType,
        agentPort: place.agentPort,
        rackId: '0',
        portRange: { first, last: first + 50 },
        datadir: [directory],
        logdir: [directory],
        walLogDir: [directory],
        compDatadir: [directory],
        totalMemoryMb: 4096,
        totalCpuCores: 2,
      }),
    );
  return {
    storage: await insert('storage', place.storagePort),
    computer: await insert('computer', place.computePort),
  };
}

async function registerCluster(
  { services, place, instances }: Registration,
  machines: { readonly storage: MachineId; readonly computer: MachineId },
): Promise<{ readonly clusterId: ClusterId; readonly clusterName: string }> {
  const { catalog } = services;
  const clusterName = 'cluster_1659333382_000001';
  const clusterId = await catalog.clusters.insert({ name: clusterName, nickName: 'shop', haMode: 'no_rep' });
  await catalog.credentials.putMissing(clusterScope(clusterId), {
    management,
    monitor,
    compute_superuser: management,
  });
  await catalog.database.write(async (sql) => {
    const shardId = await catalog.shards.insert(sql, { clusterId, name: 'shard_1', fullsyncLevel: 0 });
    await catalog.storageNodes.insert(sql, {
      clusterId,
      shardId,
      machineId: machines.storage,
      instanceId: instances.storage.instanceId,
      hostaddr: place.hostaddr,
      port: place.storagePort,
      memberState: 'source',
      status: 'active',
      memoryMb: 256,
      monitor,
    });
    await catalog.computeNodes.insert(sql, {
      clusterId,
      machineId: machines.computer,
      instanceId: instances.compute.instanceId,
      hostaddr: place.hostaddr,
      port: place.computePort,
      status: 'active',
      memoryMb: 256,
      application: { user: 'abc', password: 'abc' },
    });
  });
  return { clusterId, clusterName };
}

async function makeInstances(services: Services, place: SmallClusterPlace, directory: string) {
  const { hostaddr } = place;
  const agent = services.agents.at({ hostaddr, port: place.agentPort });
  const account = (purpose: Account['purpose'], credential: Credential): Account => ({
    purpose,
    ...credential,
  });
  const sealed = (accounts: readonly Account[]): string =>
    seal(secret, 'agent-accounts', JSON.stringify(accounts));
  const common = { hostaddr, datadir: directory, profile: 'small', labels: {} } as const;
  const storage = agent.create(instanceIds.storage, {
    ...common,
    engine: 'mysql',
    port: place.storagePort,
    groupReplicationPort: place.storagePort + 2,
    // So that a test can make it a group of one.
    groupName: 'aaaaaaaa-0000-4000-8000-000000000001',
    logdir: directory,
    walLogDir: directory,
    serverId: 1,
    sealedAccounts: sealed([account('management', management), account('monitor', monitor)]),
  });
  const compute = agent.create(instanceIds.compute, {
    ...common,
    engine: 'postgres',
    port: place.computePort,
    sealedAccounts: sealed([account('management', management)]),
  });
  return { storage: await storage, compute: await compute };
}

type Cleanup = () => Promise<unknown>;

async function cleanUp(cleanups: readonly Cleanup[]): Promise<void> {
  for (const cleanup of cleanups.toReversed()) await cleanup();
}

async function build(place: SmallClusterPlace, cleanups: Cleanup[]): Promise<SmallCluster> {
  const { hostaddr } = place;
  const [stateDirectory, directory] = [await scratchDirectory(), await scratchDirectory()];
  const secretFile = join(stateDirectory, 'secret');
  await writeFile(secretFile, secret, { mode: 0o600 });
  const server = await startMetadataServer();
  cleanups.push(() => server.stop());
  const database = await server.database();
  const startThisAgent = (): Promise<Agent> =>
    startAgent({ hostaddr, port: place.agentPort, stateDirectory, secretFile });
  let agent: Agent | undefined = await startThisAgent();
  const silenceAgent = async (): Promise<void> => {
    await agent?.close();
    agent = undefined;
  };
  cleanups.push(silenceAgent);
  const services: Services = {
    catalog: new Catalog(database, 'the key of a test catalog'),
    agents: new AgentClients({ secret, epoch: () => Number(database.epoch) }),
    logger: pino({ level: 'silent' }),
    installationSecret: secret,
    liveness: { isOnline: () => agent !== undefined },
    shards: { alone: (_, work) => work(), lastWord: () => null },
  };
  const metadata = { hostaddr: server.hostaddr, port: server.port };
  const { catalog } = services;
  await database.write(async (sql) => {
    await catalog.metadataNodes.put(sql, metadata, monitor);
    await catalog.metadataNodes.setPrimary(sql, metadata);
  });
  const machines = await registerMachines(services, place, directory);
  cleanups.push(async () => {
    agent ??= await startThisAgent();
    const client = services.agents.at({ hostaddr, port: place.agentPort });
    await Promise.all(Object.values(instanceIds).map((id) => client.remove(id)));
  });
  const instances = await makeInstances(services, place, directory);
  const cluster = await registerCluster({ services, place, instances }, machines);
  return {
    services,
    hostaddr,
    metadata,
    ...cluster,
    ...instances,
    silenceAgent,
    stop: () => cleanUp(cleanups),
  };
}

/** Whoever starts it stops it. */
export async function startSmallCluster(place: SmallClusterPlace): Promise<SmallCluster> {
  const cleanups: Cleanup[] = [];
  try {
    return await build(place, cleanups);
  } catch (error) {
    await cleanUp(cleanups);
    throw error;
  }
}
