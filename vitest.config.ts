import { defineConfig } from 'vitest/config';
import { announceTestRun } from './test/support/test-run.ts';

announceTestRun();

/** One folder of tests; folders run one after the other in the order of `order`, those of the same side by side. */
function folder(name: string, order: number, limits: { seconds: number; filesAtOnce: number }) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      setupFiles: ['test/support/join-test-run.ts'],
      pool: 'forks' as const,
      sequence: { groupOrder: order },
      testTimeout: limits.seconds * 1000,
      hookTimeout: limits.seconds * 1000,
      teardownTimeout: 10_000,
      maxWorkers: limits.filesAtOnce,
      fileParallelism: limits.filesAtOnce > 1,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      folder('unit', 0, { seconds: 10, filesAtOnce: 2 }),
      folder('integration', 1, { seconds: 180, filesAtOnce: 2 }),
      folder('chaos', 2, { seconds: 180, filesAtOnce: 2 }),
      folder('e2e', 2, { seconds: 180, filesAtOnce: 2 }),
    ],
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
