import { linkedSignal } from '../core/abort.ts';
import { clusterScope } from '../catalog/credentials.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { HostPort } from '../core/model.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { groupMembers } from '../engines/mysql/group.ts';
import type { Services } from '../jobs/services.ts';
import type { ShardTree } from './cluster-tree.ts';

const askTimeoutMs = 1500;

/**
 * The primary that the group itself has elected, as the first member to answer sees it. Undefined when none can tell:
 * then the catalog's word stands.
 */
export async function groupPrimary(
  services: Services,
  { shard, nodes }: ShardTree,
  signal: AbortSignal,
): Promise<HostPort | undefined> {
  const account = (await services.catalog.credentials.read(clusterScope(shard.clusterId), signal)).get(
    'management',
  );
  if (account === undefined) return undefined;
  const enough = linkedSignal(signal);
  const asked = nodes.map(async ({ hostaddr, port }) => {
    const address = {
      hostaddr,
      port,
      ...account,
      connectTimeoutMs: askTimeoutMs,
      statementTimeoutMs: askTimeoutMs,
    };
    const members = await withMysql(address, enough.signal, groupMembers);
    const primary = members.find((member) => member.primary && member.state === 'ONLINE');
    if (primary === undefined)
      throw new KlusterError('engine_sql', `${hostaddr}:${String(port)} sees no primary`);
    return primary;
  });
  try {
    return await Promise.any(asked);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AggregateError) return undefined;
    throw error;
  } finally {
    enough.release();
    enough.abort(new Error('no longer wanted'));
    await Promise.allSettled(asked);
  }
}
