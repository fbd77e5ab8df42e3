import Type from 'typebox';
import type { SavedTransactions } from '../../core/agent-protocol.ts';
import { errorText, KlusterError } from '../../core/errors/kluster-error.ts';
import { GtidSet } from '../../core/gtid-set.ts';
import { colonAddress, type HostPort, sameAddress } from '../../core/model.ts';
import { readChannel, stopChannel } from '../../engines/mysql/channel.ts';
import { leaveGroup, ownGroupState } from '../../engines/mysql/group.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { requireApart } from './apart.ts';
import { variablesOf } from './copy-variables.ts';
import { entrust, primaryOf, type PrimaryNow } from './entrust.ts';
import { answerOf, transactionsOf } from './held-by-others.ts';
import { onNode, type NodePlace, type ShardNow } from './shard-now.ts';

/** What was found on a node that is about to lose its data. */
export const securedTransactions = Type.Object({
  /** GTID set of what the primary lacks. */
  errant: Type.String(),
  /** Files on the node's machine that hold it. */
  files: Type.Array(Type.String()),
  /** What was set on it with set_variable; null when its server did not answer. */
  variables: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
});
export type SecuredTransactions = Type.Static<typeof securedTransactions>;

interface Securing {
  readonly node: NodePlace;
  /** Names the files; a repeated call with the same key finds them. */
  readonly key: string;
  /** Nodes that lose their data in the same job: nothing is entrusted to them. */
  readonly except: readonly HostPort[];
  /** Go on when some of the transactions are in no log any more. */
  readonly discardUnsaved: boolean;
}

/** Logs are read to their end, however large they are. */
export const secureDeadlineMs = 3_700_000;

export interface Secured {
  readonly transactions: SecuredTransactions;
  /** Too few others have what the node may have acknowledged: a failover must go on counting on it. */
  readonly isAbsentHolder: boolean;
}

/**
 * Takes a node out of replication, once other replicas have what it may have acknowledged alone, and writes the
 * transactions that its primary lacks to files on its machine, whether its server runs or not. They may be writes that a
 * user was told are committed: an old primary commits at its restart what no replica had acknowledged. May be repeated.
 * @throws KlusterError transactions_not_saved; step_deadline when the others do not get it
 */
export async function secureErrant(
  context: StepContext<Services>,
  now: ShardNow,
  { node, key, except, discardUnsaved }: Securing,
): Promise<Secured> {
  const { signal } = context;
  const own = await takeOut(now, node, signal);
  if (own === null && now.cluster.haMode === 'rbr') await requireApart(now, node, signal);
  // Read after the node's, so that whatever the node got from the primary is in it.
  const primary = await onNode(now, now.primary, signal, primaryOf);
  const giving = { node, except, canAcknowledge: canAcknowledge(now, own, primary), primary };
  const isAbsentHolder = await entrust(now, giving, signal);
  const transactions = await saveErrant(
    context,
    { node, key, discardUnsaved },
    { own, known: primary.executed },
  );
  return { transactions, isAbsentHolder };
}

async function saveErrant(
  context: StepContext<Services>,
  { node, key, discardUnsaved }: Omit<Securing, 'except'>,
  { own, known }: { readonly own: TakenOut | null; readonly known: string },
): Promise<SecuredTransactions> {
  const { services, signal } = context;
  const errant = own?.gtids.subtract(GtidSet.parse(known));
  const variables = own?.variables ?? null;
  if (errant?.isEmpty === true) return { errant: '', files: [], variables };
  const agent = services.agents.at({ hostaddr: node.hostaddr, port: node.agentPort });
  const saved = await agent.saveTransactions(node.instanceId, { operationKey: key, known }, { signal });
  const missing = (errant ?? GtidSet.empty).subtract(GtidSet.parse(saved.gtids));
  const at = colonAddress(node);
  if (!missing.isEmpty) {
    const lost = `${String(missing.size)} transactions of ${at} are in none of its logs any more: ${missing.toString()}`;
    if (!discardUnsaved) throw new KlusterError('transactions_not_saved', lost);
    await context.note(`${lost}; given up, because discard_unsaved is 1`);
  }
  await report(context, at, saved);
  return { errant: (errant ?? GtidSet.parse(saved.gtids)).toString(), files: [...saved.files], variables };
}

/** Whether the node could acknowledge without being made again. */
function canAcknowledge(now: ShardNow, own: TakenOut | null, { purged }: PrimaryNow): boolean {
  if (own === null || own.source === null || !sameAddress(own.source, now.primary)) return false;
  return GtidSet.parse(purged).subtract(own.gtids).isEmpty;
}

interface TakenOut {
  /** Whom it has followed. */
  readonly source: HostPort | null;
  /** Everything the node has executed or received. */
  readonly gtids: GtidSet;
  readonly variables: Record<string, string>;
}

/** Once it receives nothing more; null when its server does not answer. */
async function takeOut(now: ShardNow, node: NodePlace, signal: AbortSignal): Promise<TakenOut | null> {
  return answerOf(signal, () =>
    onNode(now, node, signal, async (session) => {
      const channel = await readChannel(session);
      if (now.cluster.haMode === 'mgr') {
        if ((await ownGroupState(session)) !== 'OFFLINE') await leaveGroup(session);
      } else if (channel !== null) {
        await stopChannel(session);
      }
      return {
        source: channel?.source ?? null,
        gtids: await transactionsOf(session),
        variables: await variablesOf(session),
      };
    }),
  );
}

async function report(context: StepContext<Services>, at: string, saved: SavedTransactions): Promise<void> {
  if (saved.files.length > 0) {
    await context.note(
      `${at} had transactions that the primary lacks (${saved.gtids}); they are saved on its machine in ${saved.files.join(', ')}`,
    );
  }
  if (saved.torn !== null)
    await context.note(`${at}: the end of a log could not be read: ${errorText(saved.torn)}`);
}
