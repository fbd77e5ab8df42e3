import { expect, it } from 'vitest';
import { attemptsOf } from '../../chaos/support/sample.ts';
import { sweep } from '../../chaos/support/sweep.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/**
 * The same jobs, victims and places each time. `KLUSTER_KILLS=<seed>` takes others, `KLUSTER_KILLS=all` kills everything
 * everywhere, which takes hours, as does `npm run chaos -- --sweep`.
 */
const { seed, attempts } = attemptsOf(process.env['KLUSTER_KILLS'], 136_108);
const isAll = process.env['KLUSTER_KILLS'] === 'all';
/** A slow machine does less of it. */
const budgetMs = process.env['KLUSTER_KILLS'] === undefined ? 60_000 : Infinity;
const testMs = isAll ? 36_000_000 : 900_000;

it(
  `jobs end done or undone, and leave nothing, whatever is killed at their steps (KLUSTER_KILLS=${String(seed)})`,
  { timeout: testMs },
  async () => {
    const notes: string[] = [];
    const note = (text: string) => notes.push(text);
    const options = {
      directory: await scratchDirectory(),
      network: '127.0.48',
      attempts,
      seed,
      note,
      budgetMs,
    };
    const { failures } = await sweep(options);
    process.stdout.write(`KLUSTER_KILLS=${String(seed)}\n${notes.join('\n')}\n`);
    expect(failures, `KLUSTER_KILLS=${String(seed)}`).toEqual([]);
    expect(notes.length).toBeGreaterThan(0);
  },
);
