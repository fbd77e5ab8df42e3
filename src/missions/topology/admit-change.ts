import type { Sql } from '../../catalog/sql.ts';
import { KlusterError, violationsError, type Violation } from '../../core/errors/kluster-error.ts';
import type { Admission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { findWholeCluster, type WholeCluster } from './whole-cluster.ts';

/** What a job that changes the shape of a cluster asks of it; the same before it waits for its lock and after. */
export interface ShapeRules {
  readonly clusterId: number;
  readonly codes: { readonly unknown: number; readonly withoutMemo: number };
  /** Rules that need the cluster. */
  check(whole: WholeCluster, sql: Sql): readonly Violation[] | Promise<readonly Violation[]>;
  /** Rules that do not. */
  readonly others?: readonly Violation[];
}

type Checked = { readonly whole: WholeCluster | undefined; readonly violations: readonly Violation[] };

async function checked({ catalog }: Services, rules: ShapeRules, signal?: AbortSignal): Promise<Checked> {
  return catalog.database.read(async (sql) => {
    const whole = await findWholeCluster(catalog, sql, rules.clusterId, rules.codes);
    if ('rule' in whole) return { whole: undefined, violations: [whole] };
    return { whole, violations: await rules.check(whole, sql) };
  }, signal);
}

/** The job will hold the cluster's lock. */
export async function admitChange(services: Services, rules: ShapeRules): Promise<Admission> {
  const { violations } = await checked(services, rules);
  const [first, ...rest] = [...violations, ...(rules.others ?? [])];
  return first === undefined
    ? { admitted: true, locks: [`cluster:${String(rules.clusterId)}`] }
    : { admitted: false, violations: [first, ...rest] };
}

/** Again, under the lock: jobs that were before this one may have changed the cluster, or deleted it. */
export async function requireWholeCluster(
  services: Services,
  rules: ShapeRules,
  signal: AbortSignal,
): Promise<WholeCluster> {
  const { whole, violations } = await checked(services, rules, signal);
  const [first, ...rest] = violations;
  if (first !== undefined) throw violationsError([first, ...rest]);
  if (whole === undefined) throw new KlusterError('cluster_not_found', 'the cluster is gone');
  return whole;
}
