import { createHash } from 'node:crypto';
import { jobsUnderLock } from '../catalog/jobs.ts';
import type { ShardAction } from './diagnosis.ts';
import type { RepairContext } from './repair-context.ts';

type Rebuild = Extract<ShardAction, { kind: 'rebuild' }>;

/** The jobs that the health loop asks for are under this name. */
const userName = 'kluster';
/** A node is not rebuilt again for the same reason before so much time has passed. */
const periodMs = 30 * 60_000;

/**
 * Asks for a job that rebuilds the node; not while another job works on the cluster, which may be what made the node so. A
 * node is rebuilt once per cause and period, however many looks and managers find it: the key of the request says which.
 */
export async function requestRebuild(
  { catalog, submit, shard, cluster }: RepairContext,
  { node, cause }: Rebuild,
  signal: AbortSignal,
): Promise<void> {
  const lock = `cluster:${String(cluster.id)}`;
  const jobs = await catalog.database.read((sql) => jobsUnderLock(sql, lock), signal);
  if (jobs.length > 0) return;
  const { hostaddr, port } = node;
  const paras = {
    cluster_id: String(cluster.id),
    shard_id: String(shard.id),
    rb_nodes: [{ hostaddr, port: String(port), need_backup: '0' }],
    allow_pull_from_master: '1',
  };
  const digest = createHash('sha256').update(cause).digest('hex').slice(0, 16);
  const period = Math.floor(Date.now() / periodMs);
  await submit({
    jobType: 'rebuild_node',
    paras,
    request: { job_type: 'rebuild_node', user_name: userName, paras },
    userName,
    idempotencyKey: `health:rebuild:${String(node.id)}:${digest}:${String(period)}`,
  });
}
