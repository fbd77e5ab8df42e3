import { commitLogTable, definitionLogTable } from '../../catalog/cluster-logs.ts';
import { underscoreAddress } from '../../core/model.ts';
import type { CatalogFacts, ClusterFacts, Facts } from './facts.ts';
import { finding, type Finding } from './findings.ts';
import type { UnderWay } from './under-way.ts';

/** Seconds without any event after which a job is thought to be stuck; the longest step deadline is shorter. */
const stuckAfterSeconds = 2 * 3600;

function office({ epoch, leaders }: CatalogFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (epoch === null) {
    findings.push(finding('leader_unclear', 'kluster_leadership', 'no manager has ever taken office'));
  }
  if (leaders !== 1) {
    const why = `${String(leaders)} managers are recorded as source, one should be`;
    findings.push(finding('leader_unclear', 'cluster_mgr_nodes', why));
  }
  return findings;
}

function reservations({ catalog, shards }: Facts, underWay: UnderWay): readonly Finding[] {
  const { instances, pendingRemovals } = catalog;
  const active = new Map(
    [
      ...shards.flatMap(({ nodes }) => nodes.map(({ node }) => node)),
      ...catalog.clusters.flatMap(({ comps }) => comps),
    ]
      .filter(({ status }) => status !== 'creating')
      .map((node) => [String(node.instanceId), node]),
  );
  const byOwner = new Map(catalog.reservations.map((reservation) => [reservation.owner, reservation]));
  const owners = new Set([...instances, ...pendingRemovals].map(({ instanceId }) => String(instanceId)));
  const missing = [...active].flatMap(([owner, node]) => {
    if (underWay.instance(owner)) return [];
    const found = byOwner.get(owner);
    if (found?.hostaddr === node.hostaddr && found.firstPort === node.port && found.state === 'used')
      return [];
    const said =
      found === undefined
        ? 'kluster_ports has nothing for it'
        : `kluster_ports has ${String(found.firstPort)} on ${found.hostaddr} (${found.state})`;
    const why = `the node serves at port ${String(node.port)}, ${said}`;
    return [finding('ports_not_reserved', `${owner} on ${node.hostaddr}`, why)];
  });
  const left = catalog.reservations
    .filter(({ owner }) => !owners.has(owner) && !underWay.instance(owner))
    .map(({ owner, hostaddr, firstPort, stride, state }) => {
      const ports = `${String(firstPort)}-${String(firstPort + stride - 1)}`;
      const why = `kluster_ports keeps ${ports} (${state}) for ${owner}, which the catalog does not have`;
      return finding('ports_left', `machine ${hostaddr}`, why);
    });
  return [...missing, ...left];
}

function publicPorts({ publicPorts: rows, reservations: all }: CatalogFacts): readonly Finding[] {
  return rows.flatMap(({ hostaddr, machineType, used, installing }) => {
    const of = (state: string): string =>
      all
        .filter((one) => one.hostaddr === hostaddr && one.machineType === machineType && one.state === state)
        .map(({ firstPort }) => String(firstPort))
        .toSorted()
        .join(',');
    const shown = { used: used.toSorted().join(','), installing: installing.toSorted().join(',') };
    return (['used', 'installing'] as const)
      .filter((state) => shown[state] !== of(state))
      .map((state) => {
        const why = `server_nodes shows ${state} ports "${shown[state]}", kluster_ports has "${of(state)}"`;
        return finding('ports_not_public', `${machineType} machine ${hostaddr}`, why);
      });
  });
}

function pendingRemovals({ pendingRemovals: pending }: CatalogFacts): readonly Finding[] {
  return pending.map(({ instanceId, hostaddr, since, reason }) =>
    finding('removal_pending', `${instanceId} on ${hostaddr}`, `since ${since.toISOString()}: ${reason}`),
  );
}

/** node_map_master has one row per replica of an rbr shard, and no other. */
function nodeMap({ catalog, shards }: Facts, underWay: UnderWay): readonly Finding[] {
  const expected = new Map<string, string>();
  const clusterOf = new Map(catalog.nodeMap.map(({ node, clusterId }) => [node, clusterId]));
  for (const { cluster, nodes } of shards) {
    const source = nodes.find(({ node }) => node.memberState === 'source')?.node;
    if (cluster.haMode !== 'rbr' || source === undefined) continue;
    for (const { node } of nodes) {
      clusterOf.set(underscoreAddress(node), cluster.id);
      if (node.memberState === 'replica') expected.set(underscoreAddress(node), underscoreAddress(source));
    }
  }
  const told = new Map(catalog.nodeMap.map(({ node, master }) => [node, master]));
  return [...clusterOf]
    .filter(([node, cluster]) => expected.get(node) !== told.get(node) && !underWay.cluster(cluster))
    .map(([node, cluster]) => {
      const why = `node_map_master names ${told.get(node) ?? 'nothing'} for it, its shard ${expected.get(node) ?? 'nothing'}`;
      return finding('node_map', `${clusterName(cluster)} node ${node}`, why);
    });
}

function logTables({ clusters, logTables: tables }: CatalogFacts, underWay: UnderWay): readonly Finding[] {
  const byName = new Map(tables.map((table) => [table.name, table]));
  const wanted = new Set(
    clusters.flatMap(({ cluster }) => [commitLogTable(cluster.name), definitionLogTable(cluster.name)]),
  );
  const settled = clusters.filter(({ cluster }) => !underWay.cluster(cluster.id));
  const missing = settled.flatMap(({ cluster }) =>
    [commitLogTable(cluster.name), definitionLogTable(cluster.name)]
      .filter((name) => !byName.has(name))
      .map((name) => finding('log_table_missing', clusterName(cluster.id), `there is no table ${name}`)),
  );
  // A cluster that is being made or deleted has its tables longer than its row.
  const left = tables
    .filter(({ name }) => !wanted.has(name) && !underWay.cluster(0))
    .map(({ name }) => finding('log_table_left', 'metadata database', `table ${name} belongs to no cluster`));
  return [
    ...missing,
    ...left,
    ...settled.flatMap((cluster) =>
      partitions(cluster, byName.get(commitLogTable(cluster.cluster.name))?.partitions),
    ),
  ];
}

function partitions(
  { cluster, comps }: ClusterFacts,
  found: readonly string[] | undefined,
): readonly Finding[] {
  if (found === undefined) return [];
  const expected = new Set(['p0', ...comps.map(({ id }) => `p${String(id)}`)]);
  const table = commitLogTable(cluster.name);
  return [
    ...[...expected]
      .filter((name) => !found.includes(name))
      .map((name) =>
        finding('log_partition_missing', clusterName(cluster.id), `${table} has no partition ${name}`),
      ),
    ...found
      .filter((name) => !expected.has(name))
      .map((name) =>
        finding(
          'log_partition_left',
          clusterName(cluster.id),
          `${table} has partition ${name} of no compute node`,
        ),
      ),
  ];
}

const clusterName = (id: number): string => `cluster ${String(id)}`;

function clusterRows({ clusters, clusterRows: rows }: CatalogFacts, underWay: UnderWay): readonly Finding[] {
  const known = new Set(clusters.map(({ cluster }) => Number(cluster.id)));
  return rows
    .filter(({ clusterId }) => !known.has(clusterId) && !underWay.cluster(clusterId))
    .map(({ table, clusterId }) =>
      finding('cluster_rows_left', table, `rows of cluster ${String(clusterId)}, which does not exist`),
    );
}

function unfinishedClusters({ clusters }: CatalogFacts, underWay: UnderWay): readonly Finding[] {
  return clusters
    .filter(({ cluster, complete }) => !complete && !underWay.cluster(cluster.id))
    .map(({ cluster }) =>
      finding(
        'cluster_unfinished',
        clusterName(cluster.id),
        `${cluster.name} was never completed, and no job does it`,
      ),
    );
}

function jobs({ jobs: unfinished, jobDifferences, deadLocks }: CatalogFacts): readonly Finding[] {
  return [
    ...unfinished
      .filter(({ phase, quietSeconds }) => phase !== 'queued' && quietSeconds > stuckAfterSeconds)
      .map(({ id, jobType, quietSeconds }) => {
        const why = `${jobType}: nothing has happened for ${String(Math.round(quietSeconds / 60))} minutes`;
        return finding('job_stuck', `job ${String(id)}`, why);
      }),
    ...jobDifferences.map(({ id, status, phase }) =>
      finding(
        'job_status',
        `job ${String(id)}`,
        `clients see ${status}, the job engine has it in phase ${phase}`,
      ),
    ),
    ...deadLocks.map(({ lock, id }) =>
      finding('lock_left', lock, `job ${String(id)} has ended or is gone, and still holds it`),
    ),
  ];
}

/** Rows of the catalog against each other. */
export function compareCatalog(facts: Facts, underWay: UnderWay): readonly Finding[] {
  const { catalog } = facts;
  return [
    ...office(catalog),
    ...reservations(facts, underWay),
    ...publicPorts(catalog),
    ...pendingRemovals(catalog),
    ...nodeMap(facts, underWay),
    ...unfinishedClusters(catalog, underWay),
    ...logTables(catalog, underWay),
    ...clusterRows(catalog, underWay),
    ...jobs(catalog),
  ];
}
