import type { ClusterId } from '../../core/ids.ts';
import type { Violation } from '../../core/errors/kluster-error.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { HostPort, Machine, Shard } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import { globalVariable, needsRestart, persistedVariables } from '../../engines/mysql/variables.ts';
import { withPostgres } from '../../engines/postgres/connection.ts';
import { alteredSetting, settingNeedsRestart } from '../../engines/postgres/settings.ts';
import { chooseTarget } from '../manual-switch/choose-target.ts';
import { readClusterAccounts, type ClusterAccounts } from '../topology/accounts.ts';
import { requireWholeCluster, type ShapeRules } from '../topology/admit-change.ts';
import type { Context } from '../topology/orders.ts';
import { instancePlaceOf } from '../topology/removal.ts';
import type { WholeCluster } from '../topology/whole-cluster.ts';
import { whyRefused } from '../variables/managed-variables.ts';
import type {
  FormerVariable,
  SetClusterVariableParas,
  SetClusterVariablePrepared,
  SettableNode,
} from './parameters.ts';

type PreparedGroup = SetClusterVariablePrepared['groups'][number];

export function setClusterVariableRules(paras: SetClusterVariableParas): ShapeRules {
  return {
    clusterId: paras.cluster_id,
    codes: { unknown: 70_102, withoutMemo: 70_113 },
    check: ({ shards }) => violationsOf(shards, paras),
  };
}

function violationsOf(shards: readonly Shard[], paras: SetClusterVariableParas): readonly Violation[] {
  const { shard_id: id, machine_type: type, variable } = paras;
  const found: Violation[] = [];
  const shardRule = (rule: string): Violation => ({
    field: 'paras.shard_id',
    value: shownValue(id),
    rule,
    code: 70_102,
  });
  if (id !== undefined && type === 'computer') found.push(shardRule('must not be given for compute nodes'));
  else if (id !== undefined && !shards.some((shard) => shard.id === id)) {
    found.push(shardRule(`must be the id of a shard of cluster ${String(paras.cluster_id)}`));
  }
  const refusal = whyRefused(type === 'storage' ? 'mysql' : 'postgres', variable.toLowerCase());
  if (refusal !== undefined) {
    const rule = `is not set by clients: ${refusal}`;
    found.push({ field: 'paras.variable', value: shownValue(variable), rule, code: 70_109 });
  }
  return found;
}

export async function prepareSetClusterVariable(
  context: Context,
  paras: SetClusterVariableParas,
): Promise<SetClusterVariablePrepared> {
  const { services, signal } = context;
  const whole = await requireWholeCluster(services, setClusterVariableRules(paras), signal);
  const { catalog } = services;
  const machines = await catalog.database.read((sql) => catalog.machines.list(sql), signal);
  const variable = paras.variable.toLowerCase();
  const common = { clusterId: whole.cluster.id, clusterName: whole.cluster.name, variable };
  if (paras.machine_type === 'computer') {
    const of = { machines, cluster: whole.cluster.id, read: readPostgres(variable) };
    const nodes = await Promise.all(whole.comps.map((comp) => settable(context, comp, of)));
    const groups: PreparedGroup[] = [{ name: 'computers', shardId: null, nodes, handOver: null }];
    return {
      ...common,
      engine: 'postgres',
      needsRestart: await askPostgres(context, whole, variable),
      groups,
    };
  }
  const restart = await askMysql(context, whole, { paras, variable });
  const shards = whole.shards.filter(({ id }) => paras.shard_id === undefined || id === paras.shard_id);
  const groups: PreparedGroup[] = [];
  for (const shard of shards)
    groups.push(await shardGroup(context, whole, { shard, machines, restart, variable }));
  return { ...common, engine: 'mysql', needsRestart: restart, groups };
}

/** The node with what its variable is now, which undo returns to. */
async function settable(
  { services, signal }: Context,
  node: Parameters<typeof instancePlaceOf>[0] & { readonly id: number },
  of: { readonly machines: readonly Machine[]; readonly cluster: ClusterId; readonly read: ReadFormer },
): Promise<SettableNode> {
  const accounts = await readClusterAccounts(services, of.cluster, signal);
  const before = await of.read({ hostaddr: node.hostaddr, port: node.port }, accounts, signal);
  return { ...instancePlaceOf(node, of.machines), nodeId: node.id, before };
}

type ReadFormer = (at: HostPort, accounts: ClusterAccounts, signal: AbortSignal) => Promise<FormerVariable>;

const readMysql =
  (variable: string): ReadFormer =>
  (at, { management }, signal) =>
    withMysql({ ...at, ...management }, signal, async (session) => ({
      persisted: (await persistedVariables(session)).get(variable) ?? null,
      value: (await globalVariable(session, variable)).value,
    }));

const readPostgres =
  (variable: string): ReadFormer =>
  (at, { compute_superuser: superuser }, signal) =>
    withPostgres({ ...at, ...superuser }, signal, async (session) => ({
      persisted: await alteredSetting(session, variable),
      value: '',
    }));

async function shardGroup(
  context: Context,
  { cluster }: WholeCluster,
  of: {
    readonly shard: Shard;
    readonly machines: readonly Machine[];
    readonly restart: boolean;
    readonly variable: string;
  },
): Promise<PreparedGroup> {
  const { services, signal } = context;
  const { catalog } = services;
  const { shard, machines, restart } = of;
  const nodes = await catalog.database.read(
    (sql) => catalog.storageNodes.list(sql, { shardId: shard.id }),
    signal,
  );
  const absent = nodes.find(({ status }) => status !== 'active');
  if (absent !== undefined) {
    throw new KlusterError(
      'variable_write',
      `${absent.instanceId} of ${shard.name} is ${absent.status}: every node must serve to be changed`,
    );
  }
  const primary = nodes.find(({ memberState }) => memberState === 'source');
  const replicas = nodes.filter((node) => node !== primary);
  const handOver =
    restart && primary !== undefined && replicas.length > 0
      ? await chooseTarget(services, { cluster, shard, master: primary, assigned: null }, signal)
      : null;
  const last = primary === undefined ? [] : [primary];
  const former = { machines, cluster: cluster.id, read: readMysql(of.variable) };
  return {
    name: shard.name,
    shardId: shard.id,
    nodes: await Promise.all([...replicas, ...last].map((node) => settable(context, node, former))),
    handOver,
  };
}

/** Asks one server, which need not be changed for that. */
async function askMysql(
  { services, signal }: Context,
  whole: WholeCluster,
  { paras, variable }: { readonly paras: SetClusterVariableParas; readonly variable: string },
): Promise<boolean> {
  const { catalog } = services;
  const nodes = await catalog.database.read(
    (sql) => catalog.storageNodes.list(sql, { clusterId: whole.cluster.id }),
    signal,
  );
  const wanted = nodes.filter(({ shardId }) => paras.shard_id === undefined || shardId === paras.shard_id);
  const node = wanted.find(({ memberState }) => memberState === 'source');
  if (node === undefined) throw new KlusterError('variable_write', 'no primary is recorded');
  const { management } = await readClusterAccounts(services, whole.cluster.id, signal);
  const { hostaddr, port } = node;
  return withMysql({ hostaddr, port, ...management }, signal, (session) => needsRestart(session, variable));
}

async function askPostgres(
  { services, signal }: Context,
  { cluster, comps }: WholeCluster,
  variable: string,
): Promise<boolean> {
  const [comp] = comps;
  if (comp === undefined) throw new KlusterError('variable_write', 'the cluster has no compute node');
  const { compute_superuser: superuser } = await readClusterAccounts(services, cluster.id, signal);
  const { hostaddr, port } = comp;
  return withPostgres({ hostaddr, port, ...superuser }, signal, (session) =>
    settingNeedsRestart(session, variable),
  );
}
