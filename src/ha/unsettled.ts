import { colonAddress, sameAddress } from '../core/model.ts';
import { observeNode, type NodeLook } from './observe-node.ts';
import { observeRoutes } from './routes.ts';
import type { ShardContext } from './shard-context.ts';

/**
 * What the health loop has still to do after the primary has moved, in words; null when nothing. Nodes and compute nodes
 * that do not answer are not waited for.
 */
export async function whatIsUnsettled(context: ShardContext, signal: AbortSignal): Promise<string | null> {
  const { shard, cluster, nodes, comps, account, accounts } = context;
  const serving = nodes.filter(({ status }) => status === 'active' || status === 'inactive');
  const observed = await Promise.all(
    serving.map((node) => observeNode(node, cluster.haMode, account, signal)),
  );
  const primary = observed.find(({ node }) => node.memberState === 'source');
  if (primary === undefined) return 'no primary is recorded';
  const at = colonAddress(primary.node);
  if (primary.answer === null) return `${at} does not answer`;
  if (primary.answer.superReadOnly) return `${at} is closed for writes`;
  const replicas = observed.filter(({ node }) => node.id !== primary.node.id);
  const astray = cluster.haMode === 'rbr' ? replicas.find((node) => !follows(node, primary)) : undefined;
  if (astray !== undefined) return `${colonAddress(astray.node)} does not follow ${at} yet`;
  const routes = await observeRoutes({ shard, comps, accounts }, signal);
  const stale = routes.find(({ route }) => route === null || !sameAddress(route, primary.node));
  return stale === undefined ? null : `${stale.comp.name} still sends sessions elsewhere`;
}

function follows({ answer }: NodeLook, primary: NodeLook): boolean {
  if (answer === null) return true;
  const { channel } = answer;
  return channel !== null && sameAddress(channel.source, primary.node) && channel.receiverRunning;
}
