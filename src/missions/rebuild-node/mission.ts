import { shownValue } from '../../core/parameters/parse.ts';
import type { Sql } from '../../catalog/sql.ts';
import type { Violation } from '../../core/errors/kluster-error.ts';
import { clusterId, shardId } from '../../core/ids.ts';
import { type HostPort, sameAddress, type Shard, type StorageNode } from '../../core/model.ts';
import { colonAddress } from '../../core/model.ts';
import { defineMission } from '../../jobs/mission.ts';
import type { StepContext } from '../../jobs/plan.ts';
import type { Services } from '../../jobs/services.ts';
import { chooseSource } from '../topology/clone-source.ts';
import { machineOfNode, readShard, unsuited, type ShardNow } from '../topology/shard-now.ts';
import { rebuildNodeAttachment } from './attachment.ts';
import {
  defaultReplicaDelay,
  rebuildNodeExample,
  rebuildNodeParas,
  type RebuildNodeParas,
} from './parameters.ts';
import { rebuildNodePlan } from './plan.ts';
import { rebuildNodePrepared, type RebuildingNode, type RebuildNodePrepared } from './prepared.ts';
import { rebuildWaves } from './waves.ts';

export const rebuildNode = defineMission<Services>()({
  jobType: 'rebuild_node',
  aliases: [],
  summary: 'Make replicas of a shard again from a copy of another node; what only they have is saved first',
  paras: rebuildNodeParas,
  prepared: rebuildNodePrepared,
  example: rebuildNodeExample,
  doneText: 'OK',
  async admit(services, paras) {
    const violations = await services.catalog.database.read((sql) => findViolations(services, sql, paras));
    const [first, ...rest] = violations;
    return first === undefined
      ? { admitted: true, locks: [`cluster:${String(paras.cluster_id)}`] }
      : { admitted: false, violations: [first, ...rest] };
  },
  prepare: prepareRebuild,
  plan: rebuildNodePlan,
  attachment: rebuildNodeAttachment,
});

async function findViolations(
  { catalog }: Services,
  sql: Sql,
  paras: RebuildNodeParas,
): Promise<readonly Violation[]> {
  const shard = await catalog.shards.find(sql, shardId(paras.shard_id));
  if ((await catalog.clusters.find(sql, clusterId(paras.cluster_id))) === undefined) {
    return [
      {
        field: 'paras.cluster_id',
        value: shownValue(paras.cluster_id),
        rule: 'must be the id of a cluster',
        code: 70_025,
      },
    ];
  }
  if (shard === undefined || shard.clusterId !== paras.cluster_id) {
    const rule = `must be the id of a shard of cluster ${String(paras.cluster_id)}`;
    return [{ field: 'paras.shard_id', value: shownValue(paras.shard_id), rule, code: 70_024 }];
  }
  if (paras.rb_nodes.length === 0) {
    return [{ field: 'paras.rb_nodes', value: '[]', rule: 'must name at least one node', code: 70_036 }];
  }
  const nodes = await catalog.storageNodes.list(sql, { shardId: shard.id });
  return paras.rb_nodes.flatMap((_, index) => nodeViolations(paras, index, { shard, nodes }));
}

function nodeViolations(
  { rb_nodes: all }: RebuildNodeParas,
  index: number,
  { shard, nodes }: { readonly shard: Shard; readonly nodes: readonly StorageNode[] },
): readonly Violation[] {
  const given = all[index];
  if (given === undefined) return [];
  const field = `paras.rb_nodes[${String(index)}]`;
  const same = (other: HostPort): boolean => sameAddress(other, given);
  const violation = (rule: string, code: number): Violation => ({
    field,
    value: shownValue(colonAddress(given)),
    rule,
    code,
  });
  const found: Violation[] = [];
  const node = nodes.find(same);
  if (node === undefined) found.push(violation(`must be a node of ${shard.name}`, 70_041));
  else if (node.memberState === 'source') {
    found.push(
      violation(
        `must be a replica, but is the primary of ${shard.name}: move it first with manual_switch`,
        70_041,
      ),
    );
  }
  if (all.findIndex(same) < index) found.push(violation('must not be named twice', 70_036));
  if (given.need_backup === true) {
    found.push({
      field: `${field}.need_backup`,
      value: '"1"',
      rule: 'must be 0: this version has no backup storage in which the old data could be kept',
      code: 70_039,
    });
  }
  return found;
}

async function prepareRebuild(
  context: StepContext<Services>,
  paras: RebuildNodeParas,
): Promise<RebuildNodePrepared> {
  const { services, signal } = context;
  const now = await readShard(services, shardId(paras.shard_id), signal);
  const found = await services.catalog.database.read(
    (sql) => Promise.all(paras.rb_nodes.map((given) => rebuilding(services, sql, now, given))),
    signal,
  );
  // Told before anything is touched; the copy itself asks again.
  await chooseSource(
    now,
    {
      except: paras.rb_nodes,
      allowPrimary: paras.allow_pull_from_master ?? false,
      maximumDelay: paras.allow_replica_delay ?? defaultReplicaDelay,
    },
    signal,
  );
  const spare = spareNodes(now);
  if (spare < 1) {
    await context.note(
      `commits on ${now.shard.name} need every replica (fullsync_level ${String(now.shard.fullsyncLevel)}): they wait while a node is rebuilt`,
    );
  }
  return {
    clusterId: now.cluster.id,
    shardId: now.shard.id,
    shardName: now.shard.name,
    waves: rebuildWaves(found, spare).map((wave) => [...wave]),
  };
}

/** Replicas that may be missing at the same time. */
function spareNodes({ cluster, shard, nodes }: ShardNow): number {
  const replicas = nodes.length - 1;
  return cluster.haMode === 'mgr' ? Math.floor(replicas / 2) : replicas - shard.fullsyncLevel;
}

async function rebuilding(
  services: Services,
  sql: Sql,
  now: ShardNow,
  given: RebuildNodeParas['rb_nodes'][number],
): Promise<RebuildingNode> {
  const node = now.nodes.find((node) => sameAddress(node, given));
  if (node === undefined || node.id === now.primary.id) throw unsuited(now, colonAddress(given));
  const { agentPort } = await machineOfNode(services, sql, node);
  const { id: nodeId, instanceId, hostaddr, port, status: formerStatus } = node;
  return { nodeId, instanceId, hostaddr, port, agentPort, formerStatus, limit: given.pv_limit ?? 0 };
}
