import { GtidSet } from '../core/gtid-set.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { startApplier, stopReceiver } from '../engines/mysql/channel.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { executedGtids, receivedGtids, serverUuid, waitForGtids } from '../engines/mysql/gtid.ts';
import type { ShardAction } from './diagnosis.ts';
import type { RepairContext } from './repair-shard.ts';

type FailOver = Extract<ShardAction, { kind: 'fail_over' }>;

interface Fenced {
  readonly node: StorageNode;
  /** Executed and received: what it had acknowledged is among them. */
  readonly gtids: GtidSet;
}

/** A receiver that is connecting to a hung source ends only after replica_net_timeout (4 s). */
const replicaTimeoutMs = 10_000;
const applyWaitSeconds = 30;

/**
 * Makes another node of an rbr shard its recorded primary. Opening it, and making the others follow, are the next looks'
 * actions: each of them is also what a restarted manager does when it finds the shard in between.
 *
 * 1. Fence: the replicas stop receiving. From then on the old primary, should it live, gets too few acknowledgements to
 *    commit anything. No step waits for it.
 * 2. Prove: at least n-k+1 of n replicas are fenced (k acknowledgements per commit), so one of them has each acknowledged
 *    transaction; the successor's set must contain those of all of them.
 * 3. Apply: the successor applies everything it has received; its relay logs are not touched before.
 * 4. Record, under the epoch: a manager whose term has ended stops here.
 */
export async function failOver(context: RepairContext, action: FailOver, signal: AbortSignal): Promise<void> {
  const task = `${String(context.shard.id)}-${String(Date.now())}`;
  const record = (step: string, text: string, successor?: StorageNode): Promise<void> =>
    recordStep(context, { task, step, text, old: action.node, successor }, signal);
  try {
    const fenced = await fence(context, action, signal);
    await record('fence', `stopped receiving: ${fenced.map(({ node }) => colonAddress(node)).join(', ')}`);
    const successor = choose(fenced);
    await record('choose', `${colonAddress(successor.node)} has every transaction`, successor.node);
    const uuid = await applyAll(context, successor, signal);
    await record('apply', 'everything received is applied', successor.node);
    const { catalog, shard } = context;
    await catalog.database.write(
      (sql) => catalog.storageNodes.setPrimary(sql, shard.id, successor.node.id, uuid),
      signal,
    );
    await record('promote', `${colonAddress(successor.node)} is the primary`, successor.node);
  } catch (error) {
    signal.throwIfAborted();
    await record('Fail', errorText(error));
    throw error;
  }
}

async function fence(
  { account }: RepairContext,
  { replicas, quorum }: FailOver,
  signal: AbortSignal,
): Promise<readonly Fenced[]> {
  const outcomes = await Promise.allSettled(
    replicas.map(async (node): Promise<Fenced> => {
      const { hostaddr, port } = node;
      const address = { hostaddr, port, ...account, statementTimeoutMs: replicaTimeoutMs };
      return withMysql(address, signal, async (session) => {
        await stopReceiver(session);
        const executed = GtidSet.parse(await executedGtids(session));
        return { node, gtids: executed.union(GtidSet.parse(await receivedGtids(session))) };
      });
    }),
  );
  const fenced = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  if (fenced.length >= quorum) return fenced;
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [errorText(outcome.reason)] : [],
  );
  throw new KlusterError(
    'engine_sql',
    `only ${String(fenced.length)} replicas could be fenced, ${String(quorum)} are needed: ${reasons.join('; ')}`,
  );
}

function choose(fenced: readonly Fenced[]): Fenced {
  const successor = fenced.find(({ gtids }) => fenced.every((other) => gtids.contains(other.gtids)));
  if (successor !== undefined) return successor;
  const sets = fenced.map(({ node, gtids }) => `${colonAddress(node)}: ${gtids.toString()}`);
  throw new KlusterError('engine_sql', `no replica has the transactions of all others: ${sets.join('; ')}`);
}

/** The successor's server UUID, once it has applied all that it has. */
async function applyAll(
  { account }: RepairContext,
  { node, gtids }: Fenced,
  signal: AbortSignal,
): Promise<string> {
  const { hostaddr, port } = node;
  return withMysql({ hostaddr, port, ...account }, signal, async (session) => {
    // A replica that was just restarted does not apply by itself.
    await startApplier(session);
    if (await waitForGtids(session, gtids.toString(), applyWaitSeconds)) return serverUuid(session);
    throw new KlusterError(
      'engine_sql',
      `${colonAddress(node)} has not applied what it received within ${String(applyWaitSeconds)} s`,
    );
  });
}

interface FailOverStep {
  readonly task: string;
  readonly step: string;
  readonly text: string;
  readonly old: StorageNode;
  readonly successor: StorageNode | undefined;
}

function recordStep(
  { catalog, shard }: RepairContext,
  { task, step, text, old, successor }: FailOverStep,
  signal: AbortSignal,
): Promise<void> {
  return catalog.database.write(
    (sql) => catalog.failovers.add(sql, { shard, task, step, text, old, ...(successor && { successor }) }),
    signal,
  );
}
