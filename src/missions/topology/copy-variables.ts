import { errorText } from '../../core/errors/kluster-error.ts';
import { persistedVariables, persistWhenever } from '../../engines/mysql/variables.ts';
import { EngineSqlError } from '../../engines/sql-error.ts';
import type { SqlSession } from '../../engines/sql.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { whyRefused } from '../variables/managed-variables.ts';
import { onNode, type NodePlace, type ShardNow } from './shard-now.ts';

/** What was set on a server with set_variable: a clone does not bring it along. */
export async function variablesOf(session: SqlSession): Promise<Record<string, string>> {
  const persisted = await persistedVariables(session);
  return Object.fromEntries([...persisted].filter(([name]) => whyRefused('mysql', name) === undefined));
}

/** Sets the variables on a node that was just made, and restarts it when one of them needs that. May be repeated. */
export async function copyVariables(
  context: StepContext<Services>,
  now: ShardNow,
  target: NodePlace,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const { services, signal, jobId } = context;
  const refused: string[] = [];
  const restart = await onNode(now, target, signal, async (session) => {
    let needed = false;
    for (const [name, value] of Object.entries(variables)) {
      try {
        const when = await persistWhenever(session, name, { value, valueType: undefined });
        needed ||= when === 'at_next_start';
      } catch (error) {
        if (!(error instanceof EngineSqlError) || error.connectionLost) throw error;
        refused.push(`${name}: ${errorText(error)}`);
      }
    }
    return needed;
  });
  for (const reason of refused)
    await context.note(`a variable is not set on ${target.instanceId}: ${reason}`);
  if (!restart) return;
  const agent = services.agents.at({ hostaddr: target.hostaddr, port: target.agentPort });
  await agent.restart(target.instanceId, `job${String(jobId)}-variables`, { signal });
}
