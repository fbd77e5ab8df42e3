import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../../../src/core/errors/kluster-error.ts';
import { colonAddress } from '../../../src/core/model.ts';
import { askDoctor } from '../../support/healthy.ts';
import { storageNodes, type ChaosCluster } from './chaos-cluster.ts';

const attempts = 30;
const pauseMs = 1000;

/** Nodes with transactions that no client was told of: nothing but a rebuild mends them. */
async function errantNodes(cluster: ChaosCluster): Promise<readonly string[]> {
  const { findings } = await askDoctor(cluster.installation.client);
  return findings.filter(({ what }) => what === 'errant_transactions').map(({ where }) => where);
}

async function rebuild(cluster: ChaosCluster, where: string): Promise<void> {
  const known = await cluster.look();
  const node = storageNodes(known).find((one) => where.endsWith(` ${colonAddress(one)}`));
  const shard = known.shards.find(({ nodes }) => nodes.some((one) => one === node));
  if (shard === undefined || node === undefined) throw new Error(`the cluster has no ${where}`);
  const paras = {
    cluster_id: String(known.cluster_id),
    shard_id: String(shard.shard_id),
    rb_nodes: [{ hostaddr: node.hostaddr, port: String(node.port) }],
    allow_pull_from_master: '1',
    allow_replica_delay: '60',
  };
  const { client } = cluster.installation;
  const reply = await client.submit({ job_type: 'rebuild_node', paras, user_name: 'chaos' });
  if (!('job_id' in reply)) throw new Error('rebuild_node is no job');
  const job = await cluster.installation.ended(reply.job_id);
  cluster.timeline.note(
    `rebuild_node of ${colonAddress(node)} ended ${job.status} ${job.error?.message ?? ''}`,
  );
}

/** What an operator does who is told of errant transactions. Gives up after a while; then the next faults meet them. */
export async function mendErrantNodes(cluster: ChaosCluster): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      const errant = await errantNodes(cluster);
      if (errant.length === 0) return;
      for (const where of errant) await rebuild(cluster, where);
    } catch (error) {
      cluster.timeline.noteSparingly(`not rebuilt yet: ${errorText(error)}`, Date.now());
    }
    await sleep(pauseMs);
  }
}
