import { withDeadline } from '../core/abort.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import { pushTopology } from './push-topology.ts';
import type { ShardContext } from './shard-context.ts';

/** One that does not answer in time is re-routed when it does: the health loop finds its stale route. */
const rerouteMs = 2000;

/**
 * Sends the sessions of all compute nodes that serve to the recorded primary, all at once.
 * @returns what could not be done, one text per compute node
 */
export async function rerouteAll(
  { catalog, comps }: Pick<ShardContext, 'catalog' | 'comps'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const serving = comps.filter(({ status }) => status === 'active');
  const outcomes = await Promise.all(
    serving.map(async (comp): Promise<readonly string[]> => {
      try {
        await withDeadline(rerouteMs, signal, (bounded) => pushTopology(catalog, comp.id, bounded));
        return [];
      } catch (error) {
        return [`route of ${comp.name}: ${errorText(error)}`];
      }
    }),
  );
  return outcomes.flat();
}
