import { setTimeout as sleep } from 'node:timers/promises';
import { GtidSet } from '../core/gtid-set.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { executedGtids } from '../engines/mysql/gtid.ts';
import { commitBarrier, setAcknowledgements } from '../engines/mysql/semi-sync.ts';
import type { SqlSession } from '../engines/sql.ts';
import type { ShardAction } from './diagnosis.ts';
import { observeNode } from './observe-node.ts';
import type { RepairContext } from './repair-context.ts';

/** The look after the next one tries again. */
const holdersWaitMs = 3000;
const holdersPollMs = 100;

type SetAcknowledgements = Extract<ShardAction, { kind: 'set_acknowledgements' }>;

/**
 * Lowers or raises the acknowledgements that commits wait for. The catalog never promises more than every acknowledged
 * transaction has had, for the proof of a failover relies on it:
 *
 * - lowering: the catalog first, then the primary;
 * - raising: the primary first; then, when so many replicas have everything that was committed with less, the catalog. A
 *   manager that dies, or replicas that are not that far yet, leave the lower number in the catalog: the next look repeats it.
 */
export async function changeAcknowledgements(
  context: RepairContext,
  action: SetAcknowledgements,
  signal: AbortSignal,
): Promise<void> {
  const { node, from, to } = action;
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...context.account };
  if (to < from) {
    await record(context, action, signal);
    await withMysql(address, signal, (session) => setAcknowledgements(session, to));
    return;
  }
  await withMysql(address, signal, async (session) => {
    // Before commits wait for them: they would wait until the replicas have caught up.
    if (to > from) await requireHolders(context, { ...action, committed: await executed(session) }, signal);
    await setAcknowledgements(session, to);
    if (to === from) return;
    await commitBarrier(session);
    await requireHolders(context, { ...action, committed: await executed(session) }, signal);
    await record(context, action, signal);
  });
}

const executed = async (session: SqlSession): Promise<GtidSet> => GtidSet.parse(await executedGtids(session));

/** @throws KlusterError engine_sql when so many replicas do not receive everything that was committed soon */
async function requireHolders(
  context: RepairContext,
  { node, to, committed }: SetAcknowledgements & { readonly committed: GtidSet },
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + holdersWaitMs;
  for (;;) {
    const holders = await holdersOf(context, { primary: node, committed }, signal);
    if (holders.length >= to) return;
    if (performance.now() > deadline) {
      throw new KlusterError(
        'engine_sql',
        `${String(holders.length)} of ${String(to)} replicas have received what was committed while ${context.shard.name} was degraded`,
      );
    }
    await sleep(holdersPollMs, undefined, { signal });
  }
}

async function holdersOf(
  { nodes, cluster, account }: RepairContext,
  { primary, committed }: { readonly primary: StorageNode; readonly committed: GtidSet },
  signal: AbortSignal,
): Promise<readonly StorageNode[]> {
  const replicas = nodes.filter(({ id }) => id !== primary.id);
  const looks = await Promise.all(replicas.map((node) => observeNode(node, cluster.haMode, account, signal)));
  return looks.flatMap(({ node, answer }) =>
    answer !== null && GtidSet.parse(answer.gtids).contains(committed) ? [node] : [],
  );
}

function record(
  { catalog, shard }: RepairContext,
  { node, from, to }: SetAcknowledgements,
  signal: AbortSignal,
): Promise<void> {
  return catalog.database.write(async (sql) => {
    await catalog.shards.setAcknowledgements(sql, shard, to);
    await catalog.failovers.add(sql, {
      shard,
      switchType: 'degrade',
      task: `${String(shard.id)}-degrade-${String(Date.now())}`,
      step: to < from ? 'degrade' : 'restore',
      text: `commits on ${colonAddress(node)} wait for ${String(to)} instead of ${String(from)} acknowledgements`,
      old: node,
    });
  }, signal);
}
