import { colonAddress, sameAddress, type StorageNode } from '../core/model.ts';
import type { Diagnosis } from './diagnosis.ts';
import { type NodeAnswer, type NodeObservation, type ShardObservation } from './shard-observation.ts';

export interface Answered {
  readonly node: StorageNode;
  readonly answer: NodeAnswer;
}

export const healthy: Diagnosis = { state: 'healthy', reason: 'every node does its part', action: null };

export function answered(nodes: readonly Pick<NodeObservation, 'node' | 'answer'>[]): readonly Answered[] {
  return nodes.flatMap(({ node, answer }) => (answer === null ? [] : [{ node, answer }]));
}

export function addresses(nodes: readonly { readonly node: StorageNode }[]): string {
  return nodes.map(({ node }) => colonAddress(node)).join(', ');
}

export function staleRoute(shard: ShardObservation, primary: StorageNode): Diagnosis | null {
  const stale = shard.routes.find(({ route }) => route === null || !sameAddress(route, primary));
  if (stale === undefined) return null;
  const route = stale.route === null ? 'nowhere' : `to ${colonAddress(stale.route)}`;
  return {
    state: 'route_stale',
    reason: `${stale.comp.name} at ${colonAddress(stale.comp)} sends sessions ${route} instead of ${colonAddress(primary)}: re-routing it`,
    action: { kind: 'reroute', comp: stale.comp, primary },
  };
}

export function busyPrimary({ node, failure }: NodeObservation): Diagnosis {
  return {
    state: 'primary_busy',
    reason: `the primary ${colonAddress(node)} lives, but all its connections are in use (${failure ?? ''})`,
    action: null,
  };
}

export function unreachableNode(shard: ShardObservation): Diagnosis | null {
  const silent = shard.nodes.filter(({ answer }) => answer === null);
  if (silent.length === 0) return null;
  return {
    state: 'node_unreachable',
    reason: `no answer from ${addresses(silent)}; their agents restart them`,
    action: null,
  };
}
