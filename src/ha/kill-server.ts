import { randomUUID } from 'node:crypto';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import type { RepairContext } from './repair-context.ts';

/** A process that waits for a disk does not end before that answers; nobody is kept waiting for it. */
const killWaitMs = 8000;

/** Ends the process of a node. Its agent starts it again, if need be when its disk can be written to. */
export async function killServer(
  { agents, catalog }: RepairContext,
  node: StorageNode,
  signal: AbortSignal,
): Promise<void> {
  const machine = await catalog.database.read(
    (sql) => catalog.machines.findById(sql, node.machineId),
    signal,
  );
  if (machine === undefined)
    throw new KlusterError('metadata', `the machine of ${colonAddress(node)} is not in the catalog`);
  const agent = agents.at({ hostaddr: machine.hostaddr, port: machine.agentPort });
  await agent.killAndStart(node.instanceId, `kill ${randomUUID()}`, { signal, deadlineMs: killWaitMs });
}
