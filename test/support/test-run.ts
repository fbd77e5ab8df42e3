import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * One run of vitest. Everything that its tests leave in the temporary directory lies in `directory`, and every process
 * that they start carries the environment variable `KLUSTER_TEST_RUN=<id>` or names `directory` in its arguments; so
 * what is left at the end can be told from what other runs on this machine do.
 */
export interface TestRun {
  readonly id: string;
  readonly directory: string;
}

/** Set in the main process of vitest, hence inherited by its workers. */
const directoryVariable = 'KLUSTER_TEST_DIRECTORY';
/** Set in workers when they run, hence inherited by what tests start, but not in the workers' own /proc entry. */
export const markerVariable = 'KLUSTER_TEST_RUN';

const namePrefix = 'kluster-test-';
/** The id of a run begins with the process id of its main process. */
const runName = /^kluster-test-(\d+)\.[0-9a-f]+$/;

/** Called once in the main process, before there are workers. */
export function announceTestRun(): void {
  process.env[directoryVariable] = join(
    tmpdir(),
    `${namePrefix}${process.pid}.${randomBytes(3).toString('hex')}`,
  );
}

/** Runs whose main process was killed, so that nobody has looked for what they left. */
export async function abandonedRuns(): Promise<TestRun[]> {
  const parent = dirname(currentTestRun().directory);
  const runs: TestRun[] = [];
  for (const name of await readdir(parent)) {
    const pid = runName.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) runs.push(runIn(join(parent, name)));
  }
  return runs;
}

function runIn(directory: string): TestRun {
  return { id: basename(directory).slice(namePrefix.length), directory };
}

/** The run that this process belongs to. */
export function currentTestRun(): TestRun {
  const directory = process.env[directoryVariable];
  if (directory === undefined)
    throw new Error(`${directoryVariable} is not set: run tests with this project's vitest.config.ts`);
  return runIn(directory);
}
