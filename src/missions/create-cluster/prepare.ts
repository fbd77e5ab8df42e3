import { randomUUID } from 'node:crypto';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { place } from '../../core/placement.ts';
import { candidateMachines, type Candidate } from '../topology/candidates.ts';
import type { Context } from './context.ts';
import type { CreateClusterParas } from './parameters.ts';
import type { ComputePlace, CreateClusterPrepared, StoragePlace } from './prepared.ts';
import { nodeSizing } from './sizing.ts';

/** Names the cluster and decides which node goes to which machine. */
export async function prepareCreateCluster(
  context: Context,
  paras: CreateClusterParas,
): Promise<CreateClusterPrepared> {
  const { services, signal } = context;
  const sizing = nodeSizing(paras);
  const storage = await candidateMachines(services, 'storage', paras.storage_iplists, signal);
  const computers = await candidateMachines(services, 'computer', paras.computer_iplists, signal);
  const placement = place<Candidate>({
    storage: {
      machines: storage.candidates,
      groups: paras.shards,
      nodesPerGroup: paras.nodes,
      demand: sizing.storage,
    },
    compute: { machines: computers.candidates, nodes: paras.comps, demand: sizing.compute },
  });
  if (!placement.placed) {
    const lacking = placement.lacking === 'storage' ? storage : computers;
    const silent = lacking.unreachable.map((machine) => `no answer from ${machine}`);
    throw new KlusterError(
      placement.lacking === 'storage' ? 'not_enough_storage_machines' : 'not_enough_computer_machines',
      [...placement.reasons, ...silent].join('; '),
    );
  }
  for (const warning of placement.warnings) await context.note(warning);
  for (const machine of [...storage.unreachable, ...computers.unreachable]) {
    await context.note(`not used, because its agent does not answer: ${machine}`);
  }
  if (paras.rocksdb_block_cache_size_M !== undefined) {
    await context.note('rocksdb_block_cache_size_M does not apply: the storage engine is InnoDB');
  }
  const { catalog } = services;
  return {
    clusterName: await catalog.database.write((sql) => catalog.clusters.nextName(sql), signal),
    shards: placement.groups.map((machines, index) => ({
      name: `shard_${String(index + 1)}`,
      groupName: randomUUID(),
      nodes: machines.map(storagePlace),
    })),
    comps: placement.computeNodes.map(computePlace),
    memoryMb: { storage: sizing.storage.memoryMb, compute: sizing.compute.memoryMb },
  };
}

function storagePlace(machine: Candidate): StoragePlace {
  const { hostaddr, agentPort, machineId, datadir, logdir, walLogDir } = machine;
  return { hostaddr, agentPort, machineId, datadir, logdir, walLogDir };
}

function computePlace(machine: Candidate): ComputePlace {
  const { hostaddr, agentPort, machineId, compDatadir } = machine;
  return { hostaddr, agentPort, machineId, datadir: compDatadir };
}
