import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attempt } from './attempt.ts';
import { sweep, type SweepOptions, type SweepResult } from './sweep.ts';

export interface LaneOptions extends Omit<SweepOptions, 'network' | 'portBlock'> {
  /** Installations that are there at the same time. */
  readonly atOnce: number;
}

const firstNetwork = 46;

/** A sweep by several installations at a time. What one victim and one part of the cases have in common stays in one. */
export async function sweepInLanes(options: LaneOptions): Promise<SweepResult> {
  const { atOnce, attempts, directory, budgetMs = Infinity } = options;
  const waiting = [...chainsOf(attempts)];
  const results: SweepResult[] = [];
  const until = performance.now() + budgetMs;
  const lane = async (number: number): Promise<void> => {
    for (let chain = waiting.shift(); chain !== undefined; chain = waiting.shift()) {
      const own = join(directory, `chain-${String(waiting.length)}`);
      await mkdir(own);
      const network = `127.0.${String(firstNetwork + number)}`;
      const left = { attempts: chain, directory: own, budgetMs: until - performance.now() };
      results.push(await sweep({ ...options, ...left, network, portBlock: number }));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, number) => lane(number)));
  const sum = (count: (result: SweepResult) => number): number =>
    results.reduce((total, result) => total + count(result), 0);
  return {
    begun: sum(({ begun }) => begun),
    kills: sum(({ kills }) => kills),
    failures: results.flatMap(({ failures }) => failures),
  };
}

function chainsOf(attempts: readonly Attempt[]): readonly (readonly Attempt[])[] {
  const chains = new Map<string, Attempt[]>();
  for (const attempt of attempts) {
    const key = `${attempt.mission.part} ${attempt.victim}`;
    chains.set(key, [...(chains.get(key) ?? []), attempt]);
  }
  return [...chains.values()].toSorted((left, right) => right.length - left.length);
}
