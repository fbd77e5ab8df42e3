import type { Violation } from '../../core/errors/kluster-error.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import type { CreateClusterParas } from './parameters.ts';
import { internalConnections } from './sizing.ts';

/** Fewest nodes of a shard that can lose one and still know what was committed. */
const fewestReplicatedNodes = 3;

/** Rules between several parameters of create_cluster. */
export function crossFieldViolations(paras: CreateClusterParas): readonly Violation[] {
  return [nodesForMode(paras), fullsyncForNodes(paras), connectionsPerShard(paras), noProxysql(paras)].filter(
    (violation) => violation !== undefined,
  );
}

function nodesForMode({ ha_mode: mode, nodes }: CreateClusterParas): Violation | undefined {
  const violation = (rule: string): Violation => ({
    field: 'paras.nodes',
    value: shownValue(nodes),
    rule,
    code: 70_075,
  });
  if (mode === 'no_rep') {
    return nodes === 1 ? undefined : violation('must be 1 when ha_mode is no_rep');
  }
  return nodes >= fewestReplicatedNodes
    ? undefined
    : violation(`must be at least ${String(fewestReplicatedNodes)} when ha_mode is ${mode}`);
}

function fullsyncForNodes(paras: CreateClusterParas): Violation | undefined {
  const { ha_mode: mode, nodes, fullsync_level: level } = paras;
  if (mode === 'no_rep' || level === undefined) return undefined;
  if (level >= 1 && level < nodes) return undefined;
  return {
    field: 'paras.fullsync_level',
    value: shownValue(level),
    rule: `must be from 1 to nodes - 1 (${String(nodes - 1)})`,
    code: 70_175,
  };
}

/** More than this MySQL does not take (manual, max_connections). */
const mostConnections = 100_000;

function connectionsPerShard({ max_connections: clients, comps }: CreateClusterParas): Violation | undefined {
  const most = Math.floor((mostConnections - internalConnections) / comps);
  if (clients === undefined || clients <= most) return undefined;
  return {
    field: 'paras.max_connections',
    value: shownValue(clients),
    rule: `must be at most ${String(most)} with ${String(comps)} compute nodes: a shard takes all of their connections`,
    code: 70_079,
  };
}

function noProxysql(paras: CreateClusterParas): Violation | undefined {
  if (paras.install_proxysql !== true) return undefined;
  return {
    field: 'paras.install_proxysql',
    value: '"1"',
    rule: 'must be 0: this version does not install ProxySQL; connect to the compute nodes instead',
    code: 70_005,
  };
}
