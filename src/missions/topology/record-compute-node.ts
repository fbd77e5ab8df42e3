import type { Sql } from '../../catalog/sql.ts';
import { machineId } from '../../core/ids.ts';
import type { ComputeNode } from '../../core/model.ts';
import type { ClusterAccounts } from './accounts.ts';
import type { ComputeOrder, Context } from './orders.ts';
import { startedInstance } from './places.ts';

/** What the catalog tells consoles of a compute node. */
export interface ComputeRecord {
  readonly order: ComputeOrder;
  /** Of the step that has started it. */
  readonly path: string;
  readonly accounts: ClusterAccounts;
  readonly maximumConnections: number | undefined;
  readonly cpuCores: number | undefined;
}

/** The compute node as a row, being created. May be repeated. */
export async function recordComputeNode(
  context: Context,
  sql: Sql,
  record: ComputeRecord,
): Promise<ComputeNode> {
  const { order } = record;
  const clusterId = order.clusterOf(context);
  const { port } = context.outputOf(record.path, startedInstance);
  return context.services.catalog.computeNodes.insert(sql, {
    clusterId,
    machineId: machineId(order.place.machineId),
    instanceId: order.instanceOf(clusterId),
    hostaddr: order.place.hostaddr,
    port,
    status: 'creating',
    memoryMb: order.sizing.compute.memoryMb,
    maximumConnections: record.maximumConnections ?? 0,
    cpuCores: record.cpuCores ?? 0,
    application: record.accounts.application,
  });
}
