import { Check } from 'typebox/value';
import { unfinishedDecisions } from '../../catalog/jobs.ts';
import type { Sql } from '../../catalog/sql.ts';
import type { JobId } from '../../core/ids.ts';
import { createClusterPrepared, type CreateClusterPrepared } from './prepared.ts';

/** A cluster whose create_cluster job has decided what to make and has not ended; it may also be undoing it. */
export interface ClusterInTheMaking {
  readonly job: JobId;
  readonly prepared: CreateClusterPrepared;
}

/**
 * In the caller's transaction: a cluster that this does not name either is complete, or is gone, or has no row yet.
 * What a job of another version has decided in another form is left out: such a job does not go on.
 */
export async function clustersInTheMaking(sql: Sql): Promise<readonly ClusterInTheMaking[]> {
  const decisions = await unfinishedDecisions(sql, 'create_cluster');
  return decisions.flatMap(({ id, prepared }) =>
    Check(createClusterPrepared, prepared) ? [{ job: id, prepared }] : [],
  );
}

/** The rule that a job on this cluster breaks, when the cluster is still being made or removed by its create_cluster. */
export async function completenessRule(sql: Sql, clusterName: string): Promise<string | undefined> {
  const maker = (await clustersInTheMaking(sql)).find(({ prepared }) => prepared.clusterName === clusterName);
  return (
    maker &&
    `must be a cluster that is complete: job ${String(maker.job)} is still making or removing ${clusterName}; cancel it, or wait for its end`
  );
}
