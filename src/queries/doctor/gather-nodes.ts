import type { Credential } from '../../catalog/credentials.ts';
import { errorText, KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type Cluster, type ComputeNode, type StorageNode } from '../../core/model.ts';
import { existingAccounts } from '../../engines/mysql/accounts.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import { readSemiSync } from '../../engines/mysql/semi-sync.ts';
import { withPostgres } from '../../engines/postgres/connection.ts';
import { existingRoles } from '../../engines/postgres/application-role.ts';
import { readFailingDefinition } from '../../engines/postgres/definitions.ts';
import { readShardIdentity, readStorageRoutes } from '../../engines/postgres/shards.ts';
import type { SqlSession } from '../../engines/sql.ts';
import { observeNode } from '../../ha/observe-node.ts';
import { identityText } from './compare-comps.ts';
import type { CompAnswer, CompFacts, NodeDetails, NodeSeen, ShardFacts } from './facts.ts';
import type { RecordedShard } from './gather-catalog.ts';

/** Every account of the cluster by its purpose. */
export type Accounts = ReadonlyMap<string, Credential>;

const timeouts = { connectTimeoutMs: 2000, statementTimeoutMs: 4000 };

/** Of the accounts that agents make on storage nodes. */
const storagePurposes = ['management', 'replication', 'compute', 'monitor'] as const;

function lacking(
  accounts: Accounts,
  purposes: readonly string[],
  there: ReadonlySet<string>,
): readonly string[] {
  return purposes.flatMap((purpose) => {
    const account = accounts.get(purpose);
    return account === undefined || there.has(account.user) ? [] : [`${account.user} (${purpose})`];
  });
}

async function details(session: SqlSession, accounts: Accounts): Promise<NodeDetails> {
  return {
    missingAccounts: lacking(accounts, storagePurposes, await existingAccounts(session)),
    semiSyncClients: (await readSemiSync(session)).clients,
  };
}

function silent(node: StorageNode, failure: string): NodeSeen {
  return { node, answer: null, failure };
}

/**
 * Asks the replicas before the primary: what a replica had received is then committed on the primary when that is
 * asked, unless no other server has it.
 */
export async function gatherShard(
  { shard, state, nodes }: RecordedShard,
  { cluster, accounts }: { readonly cluster: Cluster; readonly accounts: Accounts },
  signal: AbortSignal,
): Promise<ShardFacts> {
  const management = accounts.get('management');
  const found = new Map<string, NodeDetails>();
  const look = async (node: StorageNode): Promise<NodeSeen> => {
    if (management === undefined) return silent(node, 'the cluster has no management account in the catalog');
    const observed = await observeNode(node, cluster.haMode, management, signal);
    if (observed.answer === null) return observed;
    const address = { hostaddr: node.hostaddr, port: node.port, ...management, ...timeouts };
    try {
      found.set(
        colonAddress(node),
        await withMysql(address, signal, (session) => details(session, accounts)),
      );
      return observed;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof KlusterError)) throw error;
      return silent(node, errorText(error));
    }
  };
  const replicas = await Promise.all(nodes.filter(({ memberState }) => memberState === 'replica').map(look));
  const sources = await Promise.all(nodes.filter(({ memberState }) => memberState === 'source').map(look));
  return {
    cluster,
    shard,
    recordedNodes: state?.recordedNodes ?? 0,
    degraded: state?.degraded ?? false,
    nodes: [...sources, ...replicas],
    details: found,
  };
}

async function reach(session: SqlSession, name: string): Promise<string> {
  try {
    const identity = await readShardIdentity(session, name);
    return identity === null ? 'nothing' : identityText(identity.clusterName, identity.shardName);
  } catch (error) {
    if (!(error instanceof KlusterError)) throw error;
    return errorText(error);
  }
}

async function answerOf(session: SqlSession, accounts: Accounts): Promise<CompAnswer> {
  const routes = await readStorageRoutes(session);
  const reached = new Map<string, string>();
  for (const name of routes.keys()) {
    if (/^shard_\d+$/.test(name)) reached.set(name, await reach(session, name));
  }
  return {
    routes,
    reached,
    missingRoles: lacking(accounts, ['application'], await existingRoles(session)),
    failingDefinition: await readFailingDefinition(session),
  };
}

export async function gatherComp(
  comp: ComputeNode,
  accounts: Accounts,
  signal: AbortSignal,
): Promise<CompFacts> {
  const { clusterId, hostaddr, port } = comp;
  const superuser = accounts.get('compute_superuser');
  if (superuser === undefined) {
    const failure = 'the cluster has no superuser of its compute nodes in the catalog';
    return { clusterId, comp, answer: null, failure };
  }
  try {
    const address = { hostaddr, port, ...superuser, ...timeouts };
    const answer = await withPostgres(address, signal, (session) => answerOf(session, accounts));
    return { clusterId, comp, answer, failure: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof KlusterError)) throw error;
    return { clusterId, comp, answer: null, failure: errorText(error) };
  }
}
