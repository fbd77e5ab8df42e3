import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, sameAddress, type StorageNode } from '../core/model.ts';
import type { ShardAction } from './diagnosis.ts';
import type { RepairContext } from './repair-context.ts';

type HandOver = Extract<ShardAction, { kind: 'hand_over' }>;

const reachMs = 2500;

/**
 * The candidates that enough others reach to acknowledge their commits, as the agents of those try it out. Without this a
 * broken network between all nodes would make the role go round, and every node commit something of its own.
 * @throws KlusterError agent_refused when there is none, or when a candidate reaches the primary and that is all it takes
 */
export async function provedCandidates(
  context: RepairContext,
  { node: primary, candidates, acknowledgers, unlessReached }: HandOver,
  signal: AbortSignal,
): Promise<readonly StorageNode[]> {
  const failures: string[] = [];
  const reaches = await Promise.all(
    candidates.map(async (node) => {
      const others = [...candidates.filter(({ id }) => id !== node.id), primary];
      const { reached, failure } = await reachedFrom(context, { node, others }, signal);
      if (failure !== null) failures.push(`${colonAddress(node)}: ${failure}`);
      return reached;
    }),
  );
  const reaching = candidates.filter((_, index) => reaches[index]?.some(({ id }) => id === primary.id));
  if (unlessReached && reaching.length > 0) {
    throw new KlusterError(
      'agent_refused',
      `${reaching.map(colonAddress).join(', ')} can reach ${colonAddress(primary)} again: given time to connect`,
    );
  }
  const proved = candidates.filter(
    (candidate) =>
      reaches.filter((reached) => reached.some((node) => node.id === candidate.id)).length >= acknowledgers,
  );
  if (proved.length > 0) return proved;
  const why = failures.length === 0 ? '' : `; ${failures.join('; ')}`;
  throw new KlusterError(
    'agent_refused',
    `none of ${candidates.map(colonAddress).join(', ')} is reached by ${String(acknowledgers)} others, ` +
      `so that its commits would wait as well${why}`,
  );
}

interface Reach {
  readonly reached: readonly StorageNode[];
  /** Why its agent could not be asked. */
  readonly failure: string | null;
}

async function reachedFrom(
  { agents, catalog }: RepairContext,
  { node, others }: { readonly node: StorageNode; readonly others: readonly StorageNode[] },
  signal: AbortSignal,
): Promise<Reach> {
  try {
    const machine = await catalog.database.read(
      (sql) => catalog.machines.findById(sql, node.machineId),
      signal,
    );
    if (machine === undefined) return { reached: [], failure: 'its machine is not in the catalog' };
    const agent = agents.at({ hostaddr: machine.hostaddr, port: machine.agentPort });
    const targets = others.map(({ hostaddr, port }) => ({ hostaddr, port }));
    const found = await agent.reached(targets, { signal, deadlineMs: reachMs });
    return {
      reached: others.filter((other) => found.some((target) => sameAddress(target, other))),
      failure: null,
    };
  } catch (error) {
    signal.throwIfAborted();
    return { reached: [], failure: errorText(error) };
  }
}
