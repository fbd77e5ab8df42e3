import { setTimeout as sleep } from 'node:timers/promises';
import Type from 'typebox';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { identifier } from '../../core/parameters/fields.ts';
import type { DoctorJson } from '../../core/rest-types.ts';
import { defineImmediateJob } from '../../jobs/immediate.ts';
import type { Services } from '../../jobs/services.ts';
import { compare, persistent, type Comparison } from './compare.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './findings.ts';
import { gather } from './gather.ts';

/** Between two looks: what the manager is about to mend, and commits on their way, are no differences. */
const settleMs = 1000;

/** Findings name their cluster as `cluster 7 …`, or their instance as `cluster7-…`. */
function concerns({ where }: Finding, cluster: number | undefined): boolean {
  if (cluster === undefined) return true;
  const id = String(cluster);
  return where === `cluster ${id}` || where.startsWith(`cluster ${id} `) || where.startsWith(`cluster${id}-`);
}

function requireCluster({ catalog }: Facts, cluster: number | undefined): void {
  if (cluster === undefined || catalog.clusters.some((found) => found.cluster.id === cluster)) return;
  throw new KlusterError('cluster_not_found', `There is no cluster with id ${String(cluster)}`);
}

async function examine(
  services: Services,
  cluster: number | undefined,
  signal: AbortSignal,
): Promise<Comparison & { readonly facts: Facts }> {
  const facts = await gather(services, cluster, signal);
  requireCluster(facts, cluster);
  const { findings, unseen } = compare(facts);
  return { facts, findings: findings.filter((finding) => concerns(finding, cluster)), unseen };
}

/** The answer of `doctor`; `clean` when nothing differs and everything could be seen. */
export const doctor = defineImmediateJob<Services>()({
  jobType: 'doctor',
  aliases: [],
  summary: 'Compare the catalog with what really runs, and name each difference',
  paras: Type.Object({
    cluster_id: Type.Optional(
      identifier({
        description: 'look at this cluster alone',
        codes: { invalid: 70_502 },
        example: 1,
      }),
    ),
  }),
  example: { cluster_id: '1' },
  changes: false,
  async answer(services, { cluster_id: cluster }, signal) {
    const first = await examine(services, cluster, signal);
    let { findings, unseen, facts } = first;
    if (findings.length > 0) {
      await sleep(settleMs, undefined, { signal });
      const second = await examine(services, cluster, signal);
      ({ unseen, facts } = second);
      findings = persistent(first.findings, second.findings);
    }
    const report: DoctorJson = {
      clean: findings.length === 0 && unseen.length === 0,
      findings,
      not_seen: unseen,
      jobs_under_way: facts.catalog.jobs.map(({ id, jobType, phase }) => ({
        job_id: String(id),
        job_type: jobType,
        phase,
      })),
    };
    return { ...report };
  },
});
