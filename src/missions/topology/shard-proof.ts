import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type HaMode, type HostPort } from '../../core/model.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import { executedGtids, waitForGtids } from '../../engines/mysql/gtid.ts';
import { numericStatus } from '../../engines/mysql/status.ts';
import { numberOf } from '../../engines/sql.ts';
import type { FreshShard } from './shard-replication.ts';

const applyWaitSeconds = 30;

/**
 * Writes the shard's identity on its primary and reads it on every other node: the proof that a write is replicated.
 * With rbr the write must also have been acknowledged by replicas. May be repeated.
 */
export async function proveReplicatedWrite(
  shard: FreshShard,
  identity: { readonly clusterName: string; readonly haMode: HaMode },
  signal: AbortSignal,
): Promise<void> {
  const [primary, ...replicas] = shard.members;
  const gtids = await withMysql({ ...primary, ...shard.management }, signal, async (session) => {
    await session.query('CREATE DATABASE IF NOT EXISTS kunlun_sysdb');
    await session.query(
      `CREATE TABLE IF NOT EXISTS kunlun_sysdb.cluster_info (
         cluster_name VARCHAR(128) NOT NULL, shard_name VARCHAR(128) NOT NULL, PRIMARY KEY (cluster_name, shard_name))`,
    );
    await session.execute('REPLACE INTO kunlun_sysdb.cluster_info (cluster_name, shard_name) VALUES (?, ?)', [
      identity.clusterName,
      shard.name,
    ]);
    if (identity.haMode === 'rbr' && (await numericStatus(session, 'Rpl_semi_sync_source_yes_tx')) === 0) {
      throw new KlusterError(
        'storage_install_failed',
        `${shard.name}: a write on ${colonAddress(primary)} was not acknowledged by any replica`,
      );
    }
    return executedGtids(session);
  });
  await Promise.all(replicas.map((replica) => proveReplica(shard, replica, gtids, signal)));
}

async function proveReplica(
  shard: FreshShard,
  replica: HostPort,
  gtids: string,
  signal: AbortSignal,
): Promise<void> {
  await withMysql({ ...replica, ...shard.management }, signal, async (session) => {
    const applied = await waitForGtids(session, gtids, applyWaitSeconds);
    const [row] = await session.rows(
      'SELECT COUNT(*) AS found FROM kunlun_sysdb.cluster_info WHERE shard_name = ?',
      [shard.name],
    );
    if (!applied || row === undefined || numberOf(row, 'found') !== 1) {
      throw new KlusterError(
        'storage_install_failed',
        `${shard.name}: a write on the primary did not reach ${colonAddress(replica)} within ${String(applyWaitSeconds)} s`,
      );
    }
  });
}
