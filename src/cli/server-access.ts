import { Catalog } from '../catalog/catalog.ts';
import { clusterScope } from '../catalog/credentials.ts';
import { MetadataDatabase } from '../catalog/database.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { clusterId, computeNodeId, shardId, storageNodeId, type ClusterId } from '../core/ids.ts';
import { colonAddress, type Cluster, type HostPort } from '../core/model.ts';
import { isSuperReadOnly } from '../engines/mysql/read-only.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import type { Home } from '../manager/home.ts';
import { catalogKey, readMetadataCredentials, type MetadataCredentials } from '../manager/secrets.ts';
import type { ServerAccess } from './connection-url.ts';
import { usageError } from './exit.ts';

/** The options that name one database server. */
export interface ServerChoice {
  readonly metadata?: boolean;
  readonly cluster?: string;
  readonly comp?: string;
  readonly shard?: string;
  readonly node?: string;
  /** With `comp`: the account of applications instead of the administrator's. */
  readonly application?: boolean;
}

/**
 * Address of a server and an account that may administer it, from the files of the home and the metadata database.
 * No manager is asked: none of its interfaces tells these passwords.
 */
export async function serverAccess(
  home: Home,
  choice: ServerChoice,
  signal: AbortSignal,
): Promise<ServerAccess> {
  const wanted = wantedServer(choice);
  const credentials = await metadataCredentials(home);
  const primary = await metadataPrimary(credentials, signal);
  if (wanted.kind === 'metadata') return primary;
  const database = MetadataDatabase.open(primary);
  try {
    const catalog = new Catalog(database, await catalogKey(home));
    return await clusterServer(catalog, wanted, signal);
  } finally {
    await database.close();
  }
}

interface WantedInCluster {
  readonly kind: 'compute' | 'shard' | 'node';
  readonly cluster: string;
  readonly id: number;
  /** Of the shard that the node must belong to. */
  readonly shard?: number;
  readonly application?: boolean;
}

type WantedServer = { readonly kind: 'metadata' } | WantedInCluster;

function idOf(option: string, text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw usageError(`${option} must be a positive whole number, got ${text}`);
  return Number(text);
}

/** The server that a command line names; mistakes are told before anything is opened. */
export function wantedServer(choice: ServerChoice): WantedServer {
  const { metadata, cluster, comp, shard, node, application = false } = choice;
  if (application && comp === undefined) throw usageError('--application goes with --comp');
  if (metadata === true) {
    if (cluster !== undefined || comp !== undefined || shard !== undefined || node !== undefined) {
      throw usageError('--metadata stands alone, without --cluster, --comp, --shard and --node');
    }
    return { kind: 'metadata' };
  }
  if (cluster === undefined)
    throw usageError('name a server: --metadata, or --cluster with --comp or --shard');
  if ((comp === undefined) === (shard === undefined)) {
    throw usageError('--cluster needs either --comp or --shard');
  }
  if (comp !== undefined) {
    if (node !== undefined) throw usageError('--node goes with --shard, not with --comp');
    return { kind: 'compute', cluster, id: idOf('--comp', comp), application };
  }
  const id = idOf('--shard', shard ?? '');
  if (node === undefined) return { kind: 'shard', cluster, id };
  return { kind: 'node', cluster, id: idOf('--node', node), shard: id };
}

async function metadataCredentials(home: Home): Promise<MetadataCredentials> {
  let credentials: MetadataCredentials | undefined;
  try {
    credentials = await readMetadataCredentials(home);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error;
    throw new KlusterError('unauthorized', `only the owner of ${home.directory} may read its credentials`);
  }
  if (credentials !== undefined) return credentials;
  throw new KlusterError(
    'configuration',
    `${home.directory} has no metadata server yet (${home.metadataCredentialsFile} does not exist)`,
  );
}

/** The metadata server that takes writes; the first one that answers when none says so. */
async function metadataPrimary(credentials: MetadataCredentials, signal: AbortSignal): Promise<ServerAccess> {
  const { nodes, user, password } = credentials;
  const access = (node: HostPort): ServerAccess => ({
    engine: 'mysql',
    hostaddr: node.hostaddr,
    port: node.port,
    user,
    password,
  });
  const [only, ...others] = nodes;
  if (only !== undefined && others.length === 0) return access(only);
  const problems: string[] = [];
  for (const node of nodes) {
    try {
      if (!(await withMysql(access(node), signal, isSuperReadOnly))) return access(node);
      problems.push(`${colonAddress(node)} is a replica`);
    } catch (error) {
      signal.throwIfAborted();
      problems.push(errorText(error));
    }
  }
  throw new KlusterError('metadata', `no metadata server takes writes: ${problems.join('; ')}`);
}

async function clusterServer(
  catalog: Catalog,
  wanted: WantedInCluster,
  signal: AbortSignal,
): Promise<ServerAccess> {
  const cluster = await findCluster(catalog, wanted.cluster, signal);
  const accounts = await catalog.credentials.read(clusterScope(cluster.id), signal);
  const purpose = purposeOf(wanted);
  const account = accounts.get(purpose);
  if (account === undefined) {
    throw new KlusterError('metadata', `the catalog has no ${purpose} account of cluster ${cluster.name}`);
  }
  const { hostaddr, port } = await addressOf(catalog, cluster.id, { wanted, signal });
  return wanted.kind === 'compute'
    ? { engine: 'postgres', hostaddr, port, ...account, database: 'postgres' }
    : { engine: 'mysql', hostaddr, port, ...account };
}

/** Under which name the account is filed in the catalog. */
function purposeOf({ kind, application }: WantedInCluster): string {
  if (kind !== 'compute') return 'management';
  return application === true ? 'application' : 'compute_superuser';
}

async function addressOf(
  catalog: Catalog,
  cluster: ClusterId,
  { wanted, signal }: { readonly wanted: WantedInCluster; readonly signal: AbortSignal },
): Promise<HostPort> {
  const { kind, id } = wanted;
  const unknown = (what: string): KlusterError =>
    new KlusterError('instance_address_unknown', `cluster ${wanted.cluster} has no ${what}`);
  return catalog.database.read(async (sql) => {
    if (kind === 'compute') {
      const node = await catalog.computeNodes.find(sql, computeNodeId(id));
      if (node?.clusterId !== cluster) throw unknown(`compute node ${String(id)}`);
      return node;
    }
    if (kind === 'node') {
      const node = await catalog.storageNodes.find(sql, storageNodeId(id));
      if (node?.clusterId !== cluster || node.shardId !== wanted.shard) {
        throw unknown(`storage node ${String(id)} in shard ${String(wanted.shard)}`);
      }
      return node;
    }
    const shard = await catalog.shards.find(sql, shardId(id));
    if (shard?.clusterId !== cluster) throw unknown(`shard ${String(id)}`);
    const nodes = await catalog.storageNodes.list(sql, { shardId: shard.id });
    const primary = nodes.find((node) => node.memberState === 'source');
    if (primary === undefined) throw unknown(`primary in shard ${shard.name}; name a node with --node`);
    return primary;
  }, signal);
}

/** By id, name, or a nick name that only one cluster has. */
async function findCluster(catalog: Catalog, idOrName: string, signal: AbortSignal): Promise<Cluster> {
  return catalog.database.read(async (sql) => {
    const byId = /^[1-9]\d{0,14}$/.test(idOrName)
      ? await catalog.clusters.find(sql, clusterId(Number(idOrName)))
      : undefined;
    const found = byId ?? (await catalog.clusters.findByName(sql, idOrName));
    if (found !== undefined) return found;
    const [cluster, ...others] = await catalog.clusters.findByNickName(sql, idOrName);
    if (cluster === undefined) throw new KlusterError('cluster_not_found', `there is no cluster ${idOrName}`);
    if (others.length > 0) {
      const ids = [cluster, ...others].map(({ id }) => String(id)).join(', ');
      throw usageError(`several clusters have the nick name ${idOrName}; name one by its id: ${ids}`);
    }
    return cluster;
  }, signal);
}
