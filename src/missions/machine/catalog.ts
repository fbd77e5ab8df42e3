import { defaultAgentPort } from '../../core/agent-protocol.ts';
import type { HostPort, Machine } from '../../core/model.ts';
import type { Services } from '../../jobs/services.ts';

/** Jobs that change machines of one host come one after the other. */
export const machineLock = (hostaddr: string): string => `machine:${hostaddr}`;

/** The rows of one host, of whatever type. */
export function machinesOf(services: Services, hostaddr: string): Promise<readonly Machine[]> {
  const { database, machines } = services.catalog;
  return database.read((sql) => machines.list(sql, { hostaddr }));
}

/** Where the agent of a host listens: as it reported itself, else at the usual port. */
export async function agentAt(services: Services, hostaddr: string): Promise<HostPort> {
  const { database, agents } = services.catalog;
  const agent = await database.read((sql) => agents.find(sql, hostaddr));
  return { hostaddr, port: agent?.agentPort ?? defaultAgentPort };
}
