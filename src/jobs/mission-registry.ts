import { KlusterError } from '../core/errors/kluster-error.ts';
import { shownValue } from '../core/parameters/parse.ts';
import type { AnyMission } from './mission.ts';

/** The missions of this program by job type and alias. */
export class MissionRegistry<Services> {
  readonly #missions = new Map<string, AnyMission<Services>>();

  constructor(missions: Iterable<AnyMission<Services>>) {
    for (const mission of missions) {
      for (const name of [mission.jobType, ...mission.aliases]) {
        if (this.#missions.has(name)) throw new TypeError(`two missions are called ${name}`);
        this.#missions.set(name, mission);
      }
    }
  }

  find(jobType: string): AnyMission<Services> | undefined {
    return this.#missions.get(jobType);
  }

  /** Throws `unknown_job_type`. */
  get(jobType: string): AnyMission<Services> {
    const mission = this.find(jobType);
    if (mission !== undefined) return mission;
    throw new KlusterError(
      'unknown_job_type',
      `job_type is ${shownValue(jobType)}: no job of this type exists`,
    );
  }
}
