import type { Violation } from '../../core/errors/kluster-error.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { nodesForMode } from '../topology/nodes-for-mode.ts';
import type { CreateClusterParas } from './parameters.ts';
import { internalConnections, mostConnections } from '../topology/sizing.ts';

/** Rules between several parameters of create_cluster. */
export function crossFieldViolations(paras: CreateClusterParas): readonly Violation[] {
  return [
    nodesForMode(paras.ha_mode, paras.nodes, 70_075),
    fullsyncForNodes(paras),
    connectionsPerShard(paras),
    noProxysql(paras),
  ].filter((violation) => violation !== undefined);
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
