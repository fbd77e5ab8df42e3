import type { Credential } from '../catalog/credentials.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { ComputeNode, Shard } from '../core/model.ts';
import { withPostgres } from '../engines/postgres/connection.ts';
import { readStorageRoute } from '../engines/postgres/shards.ts';
import type { RouteObservation } from './shard-observation.ts';

/** What the compute nodes of a cluster are reached with. */
interface RouteContext {
  readonly shard: Shard;
  /** Every account of the cluster by its purpose. */
  readonly accounts: ReadonlyMap<string, Credential>;
}

const connectTimeoutMs = 1000;
const statementTimeoutMs = 2000;

/** Asks every compute node that serves; one that does not answer in time is asked again at the next look. */
export async function observeRoutes(
  context: RouteContext & { readonly comps: readonly ComputeNode[] },
  signal: AbortSignal,
): Promise<readonly RouteObservation[]> {
  const superuser = context.accounts.get('compute_superuser');
  const serving = context.comps.filter((comp) => comp.status === 'active');
  if (superuser === undefined) return [];
  const routes = await Promise.all(
    serving.map(async (comp): Promise<readonly RouteObservation[]> => {
      const { hostaddr, port } = comp;
      const address = { hostaddr, port, ...superuser, connectTimeoutMs, statementTimeoutMs };
      try {
        const route = await withPostgres(address, signal, (session) =>
          readStorageRoute(session, context.shard.name),
        );
        return [{ comp, route }];
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof KlusterError) return [];
        throw error;
      }
    }),
  );
  return routes.flat();
}
