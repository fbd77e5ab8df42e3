import { createHash } from 'node:crypto';
import { jobsUnderLock } from '../catalog/jobs.ts';
import type { RebuildAction, RebuildCandidate } from './diagnosis.ts';
import type { RepairContext } from './repair-context.ts';

/** The jobs that the health loop asks for are under this name. */
const userName = 'kluster';
/** A node is not rebuilt again for the same reason before so much time has passed; sooner while no write can end. */
const periodMs = 30 * 60_000;
const urgentPeriodMs = 60_000;

/**
 * Asks for a job that rebuilds the node; not while another job works on the cluster, which may be what made the node so. A
 * node is rebuilt once per cause and period, however many looks and managers find it: the key of the request says which. When
 * it was rebuilt in vain within the period, it is another node's turn.
 */
export async function requestRebuild(
  context: RepairContext,
  { others, urgent, ...first }: RebuildAction,
  signal: AbortSignal,
): Promise<void> {
  const { catalog, cluster } = context;
  const lock = `cluster:${String(cluster.id)}`;
  const period = Math.floor(Date.now() / (urgent ? urgentPeriodMs : periodMs));
  for (const candidate of [first, ...others]) {
    const jobs = await catalog.database.read((sql) => jobsUnderLock(sql, lock), signal);
    if (jobs.length > 0) return;
    await request(context, candidate, `${urgent ? 'urgent:' : ''}${String(period)}`);
  }
}

async function request(
  { submit, shard, cluster }: RepairContext,
  { node, cause }: RebuildCandidate,
  period: string,
): Promise<void> {
  const { hostaddr, port } = node;
  const paras = {
    cluster_id: String(cluster.id),
    shard_id: String(shard.id),
    rb_nodes: [{ hostaddr, port: String(port), need_backup: '0' }],
    allow_pull_from_master: '1',
  };
  const digest = createHash('sha256').update(cause).digest('hex').slice(0, 16);
  await submit({
    jobType: 'rebuild_node',
    paras,
    request: { job_type: 'rebuild_node', user_name: userName, paras },
    userName,
    idempotencyKey: `health:rebuild:${String(node.id)}:${digest}:${period}`,
  });
}
