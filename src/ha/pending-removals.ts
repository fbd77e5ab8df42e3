import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { AgentClients } from '../client/agent.ts';
import type { HostPort } from '../core/model.ts';

export interface PendingRemovalContext {
  readonly catalog: Catalog;
  readonly agents: AgentClients;
  readonly logger: Logger;
}

/**
 * Removes what was to be removed from a machine while it did not answer. What fails again stays recorded for the next
 * time the machine comes back.
 */
export async function removePending(
  { catalog, agents, logger }: PendingRemovalContext,
  agent: HostPort,
  signal: AbortSignal,
): Promise<void> {
  try {
    const pending = await catalog.database.read(
      (sql) => catalog.pendingRemovals.list(sql, agent.hostaddr),
      signal,
    );
    for (const { instanceId } of pending) {
      await agents.at(agent).remove(instanceId, { signal });
      await catalog.database.write(async (sql) => {
        await catalog.ports.release(sql, instanceId);
        await catalog.pendingRemovals.remove(sql, { hostaddr: agent.hostaddr, instanceId });
      }, signal);
      logger.info({ instanceId, hostaddr: agent.hostaddr }, 'removed an instance that its machine had kept');
    }
  } catch (error) {
    if (!signal.aborted)
      logger.warn({ err: error, hostaddr: agent.hostaddr }, 'pending removals will be tried again');
  }
}
