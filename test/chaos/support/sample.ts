import { missionCases } from './mission-cases.ts';
import { Random } from './random.ts';
import { everyAttempt, victims, type Attempt } from './attempt.ts';

/** What a run of the tests takes of the sweep: the same for the same seed. */
const jobsPerRun = 7;
/** One fault point in so many: about two of a job of ten steps. */
const oneIn = 10;
/** For jobs of one or two steps. */
const oneInOfFew = 4;
const fewSteps = new Set(missionCases.filter(({ part }) => part === 'machines').map(({ name }) => name));

/** Attempts of some job types in the order of `missionCases`; a cluster is made and deleted in every one. */
function sampledAttempts(seed: number): readonly Attempt[] {
  const random = new Random(seed);
  const always = new Set(['create_cluster', 'delete_cluster']);
  const others = missionCases.filter(({ name }) => !always.has(name));
  const chosen = new Set([
    ...always,
    ...random
      .shuffled(others)
      .slice(0, jobsPerRun)
      .map((one) => one.name),
  ]);
  return missionCases
    .filter(({ name }) => chosen.has(name))
    .map((mission) => ({
      mission,
      victim: random.pick(victims),
      way: random.next() < 0.3 ? ('undone' as const) : ('done' as const),
      oneIn: fewSteps.has(mission.name) ? oneInOfFew : oneIn,
    }));
}

/** What the environment asks for: `all`, a seed, or the default one. */
export function attemptsOf(
  wish: string | undefined,
  defaultSeed: number,
): { seed: number; attempts: readonly Attempt[] } {
  if (wish === 'all') {
    return { seed: defaultSeed, attempts: victims.flatMap((victim) => everyAttempt(victim, null, 1)) };
  }
  const seed = wish === undefined || wish === '' ? defaultSeed : Number(wish);
  if (!Number.isSafeInteger(seed))
    throw new TypeError(`KLUSTER_KILLS is ${String(wish)}: neither "all" nor a seed`);
  return { seed, attempts: sampledAttempts(seed) };
}
