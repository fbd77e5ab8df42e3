import { KlusterError } from '../core/errors/kluster-error.ts';
import { nearNames } from '../core/near-names.ts';
import type { ImmediateJob } from '../jobs/immediate.ts';
import type { AnyMission } from '../jobs/mission.ts';
import { documentedJobTypes } from './documented-job-types.ts';

export type JobDefinition<Services> =
  | { readonly kind: 'mission'; readonly mission: AnyMission<Services> }
  | { readonly kind: 'immediate'; readonly job: ImmediateJob<Services> };

/** Every job type this server has, found by its name or an alias. */
export class JobTypes<Services> {
  readonly missions: readonly AnyMission<Services>[];
  readonly immediateJobs: readonly ImmediateJob<Services>[];
  private readonly byName = new Map<string, JobDefinition<Services>>();

  constructor(missions: readonly AnyMission<Services>[], immediateJobs: readonly ImmediateJob<Services>[]) {
    this.missions = missions;
    this.immediateJobs = immediateJobs;
    for (const mission of missions) {
      this.add([mission.jobType, ...mission.aliases], { kind: 'mission', mission });
    }
    for (const job of immediateJobs) this.add([job.jobType, ...job.aliases], { kind: 'immediate', job });
  }

  private add(names: readonly string[], definition: JobDefinition<Services>): void {
    for (const name of names) {
      if (this.byName.has(name)) throw new Error(`two job types have the name ${name}`);
      this.byName.set(name, definition);
    }
  }

  /** Throws `not_built` for what the API document knows and this server does not, else `unknown_job_type`. */
  find(jobType: string): JobDefinition<Services> {
    const definition = this.byName.get(jobType);
    if (definition !== undefined) return definition;
    const words = documentedJobTypes.get(jobType);
    if (words !== undefined) {
      throw new KlusterError('not_built', `This version cannot ${words} (${jobType}) yet`);
    }
    const near = nearNames(jobType, [...this.byName.keys(), 'get_status']);
    const meant = near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
    throw new KlusterError('unknown_job_type', `There is no job type ${JSON.stringify(jobType)}${meant}`);
  }

  mission(jobType: string): AnyMission<Services> | undefined {
    const definition = this.byName.get(jobType);
    return definition?.kind === 'mission' ? definition.mission : undefined;
  }
}
