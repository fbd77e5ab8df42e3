import type { InstanceView } from '../core/agent-protocol.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { InstanceId } from '../core/ids.ts';
import type { Machine } from '../core/model.ts';
import type { AgentClient } from '../client/agent.ts';
import type { Services } from '../jobs/services.ts';

/** What the agent of one host says of its instances; undefined when it does not answer. */
export type AgentReport = ReadonlyMap<InstanceId, InstanceView> | undefined;

/** Milliseconds that all agents together have. */
const reportDeadlineMs = 2000;

/** Only silence counts as unreachable: an agent that refuses (a newer manager leads) is there. */
async function reportOf(agent: AgentClient, signal: AbortSignal): Promise<AgentReport> {
  try {
    const instances = await agent.instances({ signal, deadlineMs: reportDeadlineMs });
    return new Map(instances.map((instance) => [instance.instanceId, instance]));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof KlusterError)) throw error;
    return error.kind === 'agent_unreachable' ? undefined : new Map();
  }
}

/** Asks the agents of all machines at the same time; by host address. */
export async function agentReports(
  services: Services,
  machines: readonly Machine[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, AgentReport>> {
  const ports = new Map(machines.map(({ hostaddr, agentPort }) => [hostaddr, agentPort]));
  const entries = [...ports].map(async ([hostaddr, port]): Promise<[string, AgentReport]> => [
    hostaddr,
    await reportOf(services.agents.at({ hostaddr, port }), signal),
  ]);
  return new Map(await Promise.all(entries));
}
