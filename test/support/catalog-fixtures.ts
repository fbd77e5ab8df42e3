import type { Catalog } from '../../src/catalog/catalog.ts';
import type { ClusterMemo } from '../../src/catalog/cluster-memo.ts';
import type { NewComputeNode } from '../../src/catalog/compute-nodes.ts';
import { clusterScope } from '../../src/catalog/credentials.ts';
import type { NewStorageNode } from '../../src/catalog/storage-nodes.ts';
import { instanceId, type ClusterId, type ShardId } from '../../src/core/ids.ts';
import type { HaMode } from '../../src/core/model.ts';
import type { NewMachine } from '../../src/catalog/machines.ts';

/** A machine as create_machine registers it; what a test cares about is given. */
export function newMachine(
  given: Pick<NewMachine, 'hostaddr' | 'machineType'> & Partial<NewMachine>,
): NewMachine {
  return {
    agentPort: 23_100,
    rackId: '1',
    portRange:
      given.machineType === 'storage' ? { first: 57_000, last: 58_000 } : { first: 47_000, last: 48_000 },
    datadir: ['/data/a', '/data/b'],
    logdir: ['/log'],
    walLogDir: ['/wal'],
    compDatadir: ['/comp'],
    totalMemoryMb: 16_384,
    totalCpuCores: 8,
    ...given,
  };
}

export interface MadeCluster {
  readonly id: ClusterId;
  readonly name: string;
  readonly shardId: ShardId;
  /** Of the names of its instances. */
  readonly prefix: string;
}

/** A cluster of one shard of three nodes and one compute node, all on one host, with everything that belongs to it. */
export async function makeCluster(
  catalog: Catalog,
  given: { readonly host: string; readonly haMode: HaMode; readonly name: string },
): Promise<MadeCluster> {
  const { host, haMode, name } = given;
  const id = await catalog.clusters.insert({ name, nickName: name, haMode });
  const prefix = `cluster${String(id)}`;
  const account = { user: 'u', password: 'p' };
  await catalog.credentials.putMissing(clusterScope(id), { management: account, monitor: account });
  const shardId = await catalog.database.write(async (sql) => {
    const shard = await catalog.shards.insert(sql, { clusterId: id, name: 'shard_1', fullsyncLevel: 1 });
    const storage = { hostaddr: host, machineType: 'storage' } as const;
    const machine = await catalog.machines.find(sql, storage);
    if (machine === undefined) throw new Error(`no storage machine ${host}`);
    for (const number of [1, 2, 3]) {
      const owner = instanceId(`${prefix}-shard1-node${String(number)}`);
      const node: NewStorageNode = {
        clusterId: id,
        shardId: shard,
        machineId: machine.id,
        instanceId: owner,
        hostaddr: host,
        port: await catalog.ports.reserve(sql, { ...storage, owner }),
        memberState: number === 1 && haMode !== 'mgr' ? 'source' : 'replica',
        status: 'active',
        monitor: account,
        memoryMb: 250,
      };
      const inserted = await catalog.storageNodes.insert(sql, node);
      if ((await catalog.storageNodes.insert(sql, node)) !== inserted)
        throw new Error('a repeated insert made a node');
      await catalog.ports.markUsed(sql, owner);
    }
    return shard;
  });
  await makeComputeNode(catalog, { id, host, prefix, name });
  await catalog.database.write(async (sql) => {
    await catalog.topologyLog.record(sql, id);
    await catalog.clusters.setMemo(sql, id, memo(haMode));
  });
  return { id, name, shardId, prefix };
}

async function makeComputeNode(
  catalog: Catalog,
  cluster: { readonly id: ClusterId; readonly host: string; readonly prefix: string; readonly name: string },
): Promise<void> {
  const computer = { hostaddr: cluster.host, machineType: 'computer' } as const;
  const owner = instanceId(`${cluster.prefix}-comp1`);
  const node = await catalog.database.write(async (sql) => {
    const machine = await catalog.machines.find(sql, computer);
    if (machine === undefined) throw new Error(`no computer machine ${cluster.host}`);
    const order: NewComputeNode = {
      clusterId: cluster.id,
      machineId: machine.id,
      instanceId: owner,
      hostaddr: cluster.host,
      port: await catalog.ports.reserve(sql, { ...computer, owner }),
      status: 'active',
      application: { user: 'abc', password: 'abc' },
      memoryMb: 100,
    };
    await catalog.computeNodes.insert(sql, order);
    return catalog.computeNodes.insert(sql, order);
  });
  await catalog.clusterLogs.addComputeNode(cluster.name, node.id);
}

function memo(haMode: HaMode): ClusterMemo {
  return {
    ha_mode: haMode,
    shards: '1',
    nodes: '3',
    comps: '1',
    max_storage_size: '20',
    max_connections: '6',
    cpu_cores: '8',
    computer_user: 'abc',
    innodb_size: '128',
    dbcfg: '1',
    fullsync_level: '1',
    install_proxysql: '0',
  };
}
