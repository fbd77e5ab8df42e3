import type { Reporter, SerializedError, TestModule } from 'vitest/node';
import { endProcess, leftFiles, leftProcesses, removeRunDirectory } from './leftovers.ts';
import { abandonedRuns, currentTestRun, type TestRun } from './test-run.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Engines that were told to stop get this long to do so. */
const stopGraceMs = 2000;

/**
 * Prints, as the last line of a run, `N passed, N failed` (and `, N skipped`). Every process and every file that tests
 * left behind counts as a failure, is named, and is removed.
 */
export default class SummaryReporter implements Reporter {
  async onTestRunStart(): Promise<void> {
    for (const run of await abandonedRuns()) await removeLeftovers(run, 0);
  }

  async onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): Promise<void> {
    const counts = countTests(modules);
    counts.failed += errors.length;
    counts.failed += await removeLeftovers(currentTestRun(), stopGraceMs);
    if (counts.failed > 0) process.exitCode = 1;
    const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
  }
}

function countTests(modules: readonly TestModule[]): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    const failedBefore = counts.failed;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') counts.passed += 1;
      else if (state === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    // A file that cannot be loaded, or a hook that fails, fails without a failed test.
    if (!module.ok() && counts.failed === failedBefore) counts.failed += 1;
  }
  return counts;
}

/** @returns how many things were left behind */
async function removeLeftovers(run: TestRun, graceMs: number): Promise<number> {
  const processes = await leftProcesses(run, graceMs);
  for (const left of processes) {
    process.stderr.write(`tests left process ${left.pid} behind: ${left.command}\n`);
    await endProcess(left);
  }
  const files = await leftFiles(run);
  for (const file of files) process.stderr.write(`tests left ${file} behind\n`);
  await removeRunDirectory(run);
  return processes.length + files.length;
}
