import { colonAddress, type HostPort, sameAddress } from '../../core/model.ts';
import { compareStatus } from './compare-status.ts';
import type { CompAnswer, CompFacts, ShardFacts } from './facts.ts';
import { finding, type Finding } from './findings.ts';

/** What a shard says it is when it is asked through a compute node. */
export const identityText = (clusterName: string, shardName: string): string => `${clusterName} ${shardName}`;

/** Servers of other names are the users' own. */
const shardName = /^shard_\d+$/;

function routes(where: string, answer: CompAnswer, shards: readonly ShardFacts[]): readonly Finding[] {
  const known = new Set(shards.map(({ shard }) => shard.name));
  const unknown = [...answer.routes.keys()]
    .filter((name) => shardName.test(name) && !known.has(name))
    .map((name) => finding('route_unknown', where, `it has a foreign server ${name}`));
  const wrong = shards.flatMap(({ shard, nodes, cluster }) => {
    const primary: HostPort | undefined = nodes.find(({ node }) => node.memberState === 'source')?.node;
    const route = answer.routes.get(shard.name) ?? null;
    if (primary === undefined) return [];
    if (route === null || !sameAddress(route, primary)) {
      const target = route === null ? 'nowhere' : `to ${colonAddress(route)}`;
      const why = `it sends sessions for ${shard.name} ${target}, the primary is ${colonAddress(primary)}`;
      return [finding('route', where, why)];
    }
    const expected = identityText(cluster.name, shard.name);
    const reached = answer.reached.get(shard.name) ?? 'nothing';
    if (reached === expected) return [];
    return [finding('route_dead', where, `a query to ${shard.name} gives ${reached}, not ${expected}`)];
  });
  return [...unknown, ...wrong];
}

function definitions(where: string, { failingDefinition }: CompAnswer): readonly Finding[] {
  if (failingDefinition === null) return [];
  const { id, database, error, attempts } = failingDefinition;
  const why = `entry ${String(id)} of the log of definitions, in database ${database}, failed ${String(attempts)} times: ${error}`;
  return [finding('definition_failing', where, why)];
}

/** Routes, roles and definitions of one compute node against the shards of its cluster. */
export function compareComp(
  { clusterId, comp, answer, failure }: CompFacts,
  shards: readonly ShardFacts[],
): readonly Finding[] {
  const where = `cluster ${String(clusterId)} ${comp.name} ${colonAddress(comp)}`;
  const byStatus = compareStatus(where, { status: comp.status, answers: answer !== null, failure });
  if (byStatus !== null || answer === null) return byStatus ?? [];
  return [
    ...answer.missingRoles.map((role) => finding('role_missing', where, `the server lacks the role ${role}`)),
    ...definitions(where, answer),
    ...routes(where, answer, shards),
  ];
}
