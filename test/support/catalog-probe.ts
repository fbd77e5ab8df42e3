import { Catalog } from '../../src/catalog/catalog.ts';
import { clusterScope, type Credential } from '../../src/catalog/credentials.ts';
import { MetadataDatabase, metadataDatabaseName } from '../../src/catalog/database.ts';
import type { AccountPurpose } from '../../src/core/agent-protocol.ts';
import { clusterId } from '../../src/core/ids.ts';
import type { ComputeNode, HostPort, StorageNode } from '../../src/core/model.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../src/engines/postgres/connection.ts';
import type { SqlAddress, SqlParameter, SqlRow, SqlSession } from '../../src/engines/sql.ts';
import type { Home } from '../../src/manager/home.ts';
import { catalogKey, readMetadataCredentials } from '../../src/manager/secrets.ts';

export interface ProbedShard {
  readonly id: number;
  readonly name: string;
  readonly primary: StorageNode;
  readonly replicas: readonly StorageNode[];
}

/** What the catalog says of one cluster at one moment. */
export interface ProbedCluster {
  readonly id: number;
  readonly name: string;
  readonly shards: readonly ProbedShard[];
  readonly comps: readonly ComputeNode[];
}

type Purpose = AccountPurpose | 'compute_superuser' | 'application';

const patienceMs = 30_000;
const patience = (): AbortSignal => AbortSignal.timeout(patienceMs);

/** Looks into the metadata database and the engines of an installation past its manager, with the accounts of the catalog. */
export class CatalogProbe {
  readonly #catalog: Catalog;

  private constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  static async open(home: Home): Promise<CatalogProbe> {
    const credentials = await readMetadataCredentials(home);
    const [node] = credentials?.nodes ?? [];
    if (credentials === undefined || node === undefined) throw new Error('there is no metadata server');
    const { user, password } = credentials;
    const database = MetadataDatabase.open({ ...node, user, password, database: metadataDatabaseName });
    return new CatalogProbe(new Catalog(database, await catalogKey(home)));
  }

  async close(): Promise<void> {
    await this.#catalog.database.close();
  }

  rows(text: string, parameters: readonly SqlParameter[] = []): Promise<readonly SqlRow[]> {
    return this.#catalog.database.read((sql) => sql.rows(text, [...parameters], (row) => row));
  }

  async cluster(id: number): Promise<ProbedCluster> {
    const catalog = this.#catalog;
    return catalog.database.read(async (sql) => {
      const cluster = await catalog.clusters.find(sql, clusterId(id));
      if (cluster === undefined) throw new Error(`the catalog has no cluster ${String(id)}`);
      const nodes = await catalog.storageNodes.list(sql, { clusterId: cluster.id });
      const shards = await catalog.shards.list(sql, cluster.id);
      return {
        id,
        name: cluster.name,
        shards: shards.map((shard) => ({ id: shard.id, name: shard.name, ...roles(nodes, shard.id) })),
        comps: await catalog.computeNodes.list(sql, { clusterId: cluster.id }),
      };
    });
  }

  async account(cluster: number, purpose: Purpose): Promise<Credential> {
    const scope = clusterScope(clusterId(cluster));
    const account = (await this.#catalog.credentials.read(scope, patience())).get(purpose);
    if (account === undefined) throw new Error(`the cluster has no ${purpose} account`);
    return account;
  }

  /** As the manager's own account. */
  async onStorage<T>(node: StorageNode, run: (session: SqlSession) => Promise<T>): Promise<T> {
    return withMysql(addressOf(node, await this.account(node.clusterId, 'management')), patience(), run);
  }

  /** One row of a statement that gives exactly one. */
  storageRow(node: StorageNode, text: string): Promise<SqlRow> {
    return this.onStorage(node, async (session) => only(await session.query(text), text));
  }

  /** As the applications' account, unless another purpose is given. */
  async onCompute<T>(
    node: ComputeNode,
    run: (session: SqlSession) => Promise<T>,
    purpose: 'application' | 'compute_superuser' = 'application',
  ): Promise<T> {
    const account = await this.account(node.clusterId, purpose);
    return withPostgres({ ...addressOf(node, account), database: 'postgres' }, patience(), run);
  }
}

function addressOf({ hostaddr, port }: HostPort, account: Credential): SqlAddress {
  return { hostaddr, port, ...account, statementTimeoutMs: patienceMs };
}

function roles(nodes: readonly StorageNode[], shard: number): Pick<ProbedShard, 'primary' | 'replicas'> {
  const own = nodes.filter((node) => node.shardId === shard);
  const [primary, second] = own.filter((node) => node.memberState === 'source');
  if (primary === undefined || second !== undefined) {
    throw new Error(`shard ${String(shard)} has not exactly one recorded primary`);
  }
  return { primary, replicas: own.filter((node) => node !== primary) };
}

function only(rows: readonly SqlRow[], text: string): SqlRow {
  const [row, second] = rows;
  if (row === undefined || second !== undefined)
    throw new Error(`${String(rows.length)} rows instead of one: ${text}`);
  return row;
}

/** Repeats `check` until it gives something; what it threw last is the failure after `milliseconds`. */
export async function eventually<T>(check: () => Promise<T>, milliseconds = 30_000): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
