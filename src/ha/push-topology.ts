import type { Catalog } from '../catalog/catalog.ts';
import type { WantedTopology } from '../catalog/topology.ts';
import { computeNodeId, type ComputeNodeId } from '../core/ids.ts';
import { withPostgres } from '../engines/postgres/connection.ts';
import { applyTopology } from '../engines/postgres/topology.ts';
import type { SqlSession } from '../engines/sql.ts';

/** A compute node that does not take connections is told later; the jobs and the failover that push do not wait for it. */
const connectTimeoutMs = 2000;
const statementTimeoutMs = 10_000;

/**
 * Tells one compute node everything that it must know of its cluster at this moment, and notes that it knows. May be
 * repeated and done by several at once: an older topology never replaces a newer one.
 */
export async function pushTopology(catalog: Catalog, id: ComputeNodeId, signal: AbortSignal): Promise<void> {
  const { database, topologies } = catalog;
  const { topology, at, superuser } = await database.read((sql) => topologies.wanted(sql, id), signal);
  const address = { ...at, ...superuser, connectTimeoutMs, statementTimeoutMs };
  const generation = await withPostgres(address, signal, (session) => applyTopology(session, topology));
  await noteGeneration(catalog, topology, { generation, signal });
}

/** As `pushTopology`, of what was read just now, in a session of a superuser with it, database `postgres`. */
export async function pushTopologyIn(
  session: SqlSession,
  catalog: Catalog,
  { topology }: WantedTopology,
  signal: AbortSignal,
): Promise<void> {
  const generation = await applyTopology(session, topology);
  await noteGeneration(catalog, topology, { generation, signal });
}

/** `generation` is what the compute node has by now. */
function noteGeneration(
  { database, topologies }: Catalog,
  topology: WantedTopology['topology'],
  { generation, signal }: { readonly generation: number; readonly signal: AbortSignal },
): Promise<void> {
  return database.write(async (sql) => {
    const id = computeNodeId(topology.comp_id);
    if (generation === topology.generation) await topologies.recordApplied(sql, id, generation);
    else await topologies.passGeneration(sql, topology.cluster_id, generation);
  }, signal);
}
