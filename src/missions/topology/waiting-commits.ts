import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { colonAddress, type HostPort, sameAddress } from '../../core/model.ts';
import { readSemiSync } from '../../engines/mysql/semi-sync.ts';
import { numericStatus } from '../../engines/mysql/status.ts';
import type { SqlSession } from '../../engines/sql.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { machineOfNode, onNode, readShard, type ShardNow } from './shard-now.ts';

type Context = StepContext<Services>;

/** Commits that have waited for so long without a single acknowledgement wait for something that does not come by itself. */
const patienceMs = 10_000;
const pollMs = 500;

/**
 * rbr: a copy waits for the commits of its source, these wait for acknowledgements, and when there are too few replicas to
 * give them, the copy may be the only way to another one. Then the primary is killed and started again: it comes back closed,
 * with these commits done, and the health loop opens it when enough replicas receive from it. Their clients lose the
 * connection without an answer. Does nothing unless `source` is the primary and its commits hang.
 */
export async function endHungCommits(context: Context, now: ShardNow, source: HostPort): Promise<void> {
  const { primary, shard, cluster } = now;
  if (cluster.haMode !== 'rbr' || !sameAddress(primary, source)) return;
  const hung = (): Promise<boolean> =>
    onNode(now, primary, context.signal, (session) => hang(session, context.signal));
  if (!(await hung())) return;
  const { services, signal, jobId } = context;
  // The health loop would take the end of the primary for a fault, and may be opening or replacing it at this moment.
  await services.shards.alone(shard.id, async () => {
    const current = await readShard(services, shard.id, signal);
    if (current.primary.id !== primary.id || !(await onNode(now, primary, signal, areWaiting))) return;
    await context.note(
      `commits on ${colonAddress(primary)} wait for acknowledgements that no replica gives, and a copy of it for them: it is ` +
        'killed and started again, and stays closed until enough replicas follow it',
    );
    const machine = await services.catalog.database.read(
      (sql) => machineOfNode(services, sql, primary),
      signal,
    );
    const agent = services.agents.at({ hostaddr: machine.hostaddr, port: machine.agentPort });
    // It hung again: the restart of an earlier attempt does not count as this one.
    await agent.killAndStart(primary.instanceId, `job${String(jobId)}-${randomUUID()}`, { signal });
  });
}

async function areWaiting(session: SqlSession): Promise<boolean> {
  const { enabled, waiting } = await readSemiSync(session);
  return enabled && waiting > 0;
}

/** Commits wait, and none has been acknowledged for as long as this has looked. */
async function hang(session: SqlSession, signal: AbortSignal): Promise<boolean> {
  const ended = (): Promise<number> => numericStatus(session, 'Rpl_semi_sync_source_yes_tx');
  const before = await ended();
  const deadline = performance.now() + patienceMs;
  while (await areWaiting(session)) {
    if ((await ended()) !== before) return false;
    if (performance.now() >= deadline) return true;
    await sleep(pollMs, undefined, { signal });
  }
  return false;
}
