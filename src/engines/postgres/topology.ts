import { numberOf, type SqlSession } from '../sql.ts';

/** One storage node of a shard, as compute nodes see it. */
export interface TopologyNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  /** Exactly one of a shard takes its writes. */
  readonly primary: boolean;
}

export interface TopologyShard {
  readonly id: number;
  /** `shard_<n>`. */
  readonly name: string;
  readonly nodes: readonly TopologyNode[];
}

/** Everything that one compute node has to know of its cluster, at one generation. */
export interface ComputeTopology {
  /** Grows with every change; a compute node never goes back to a smaller one. */
  readonly generation: number;
  readonly cluster_id: number;
  readonly cluster_name: string;
  /** The compute node that this is for. */
  readonly comp_id: number;
  readonly comp_name: string;
  /** Where the logs of the cluster are; null when compute nodes do not write them. */
  readonly metadata: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  } | null;
  /** With which compute nodes log in to the storage nodes. */
  readonly account: { readonly user: string; readonly password: string };
  readonly shards: readonly TopologyShard[];
  readonly comps: readonly {
    readonly id: number;
    readonly name: string;
    readonly host: string;
    readonly port: number;
  }[];
}

/**
 * Makes the compute node know exactly this topology; running sessions follow at their next statement. May be repeated. For a
 * session in database `postgres`, as a superuser.
 * @returns the generation that the node has then: a greater one than the topology's when it had that already, and
 * nothing was changed
 */
export async function applyTopology(session: SqlSession, topology: ComputeTopology): Promise<number> {
  const [known] = await session.rows('SELECT generation FROM kluster.cluster() WHERE generation > $1', [
    topology.generation,
  ]);
  if (known !== undefined) return numberOf(known, 'generation');
  await session.rows('SELECT kluster.set_topology($1::jsonb)', [JSON.stringify(topology)]);
  return topology.generation;
}
