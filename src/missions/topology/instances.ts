import type { InstanceSpec, InstanceView } from '../../core/agent-protocol.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { InstanceId } from '../../core/ids.ts';
import type { MachineType } from '../../core/model.ts';
import type { RetryPolicy } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';

/** For steps that need an agent or an engine: long enough for either to be restarted. */
export const restartRetry: RetryPolicy = { attempts: 6, firstDelayMs: 300, maximumDelayMs: 3000 };

/** One engine to be started on one machine, with a port that is found on the way. */
export interface InstanceOrder {
  readonly instanceId: InstanceId;
  readonly hostaddr: string;
  readonly agentPort: number;
  readonly machineType: MachineType;
  spec(port: number): InstanceSpec;
}

/** A port of the range may be taken by an outgoing connection at any moment; several in a row are no accident. */
const portAttempts = 8;

/**
 * Starts the instance on a free port of the machine's range. The API's ranges overlap the ephemeral ports of Linux, so a
 * port found busy is given up for another one. Idempotent: a repeated call joins what the first one began.
 */
export async function startInstance(
  services: Services,
  order: InstanceOrder,
  signal: AbortSignal,
): Promise<InstanceView> {
  const agent = services.agents.at({ hostaddr: order.hostaddr, port: order.agentPort });
  const { database, ports } = services.catalog;
  const busy: number[] = [];
  for (let attempt = 1; ; attempt += 1) {
    const { hostaddr, machineType, instanceId: owner } = order;
    const port = await database.write(
      (sql) => ports.reserve(sql, { hostaddr, machineType, owner, exclude: busy }),
      signal,
    );
    try {
      return await agent.create(order.instanceId, order.spec(port), { signal });
    } catch (error) {
      const isBusy = error instanceof KlusterError && error.kind === 'port_busy';
      if (!isBusy || attempt >= portAttempts) throw error;
      busy.push(port);
      await agent.remove(order.instanceId, { signal });
    }
  }
}

/** An instance to be taken away, wherever its making or its life has come to. */
export interface InstanceRemoval {
  readonly instanceId: InstanceId;
  readonly hostaddr: string;
  readonly agentPort: number;
  /** Why, for the record of pending removals. */
  readonly reason: string;
}

export type RemovalOutcome = 'removed' | 'pending';

/**
 * Removes process, directories and port reservation. When the machine does not answer, the removal is recorded and
 * done as soon as the machine is back; until then the port stays reserved.
 */
export async function removeInstance(
  services: Services,
  removal: InstanceRemoval,
  signal: AbortSignal,
): Promise<RemovalOutcome> {
  const { database, pendingRemovals, ports } = services.catalog;
  const agent = services.agents.at({ hostaddr: removal.hostaddr, port: removal.agentPort });
  try {
    // Told at once: a machine that takes connections and says nothing would hold the removal up for minutes.
    await agent.health({ signal });
    await agent.remove(removal.instanceId, { signal });
  } catch (error) {
    const isUnreachable = error instanceof KlusterError && error.kind === 'agent_unreachable';
    if (!isUnreachable || signal.aborted) throw error;
    await database.write((sql) => pendingRemovals.add(sql, removal), signal);
    services.logger.warn(
      { instanceId: removal.instanceId, agent: agent.address },
      'the instance will be removed when its machine answers again',
    );
    return 'pending';
  }
  await database.write((sql) => ports.release(sql, removal.instanceId), signal);
  return 'removed';
}
