import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { errorText } from '../../src/core/errors/kluster-error.ts';
import { findHostPostgres, findPostgres } from '../../src/engines/installation.ts';
import { preloadVariable, reportsVariable } from '../../test/support/sanitizer.ts';
import { buildForTests } from '../setup/compute-extension.ts';
import { SetupError } from '../setup/report.ts';
import { runOrFail } from '../setup/run-program.ts';
import { findingsIn } from './findings.ts';

/** The tests of the extension. That one makes its cluster with an agent, which starts engines without preloading anything. */
const regressionTests = ['integration/compute', '--exclude=**/atomic-commit.test.ts'];

/**
 * `npm run sanitize [-- [--postgres <directory>] [filter…]]`: the tests of the extension with AddressSanitizer and
 * UndefinedBehaviorSanitizer in every process of the compute nodes. It fails when they report anything, or a test fails.
 */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { postgres: { type: 'string' } },
    allowPositionals: true,
  });
  const directory = await mkdtemp(join(tmpdir(), 'kluster-sanitize-'));
  await chmod(directory, 0o755);
  try {
    const original =
      values.postgres === undefined
        ? await findHostPostgres()
        : await findPostgres({ directory: values.postgres });
    const postgres = await buildForTests(original, directory, 'SANITIZE=1');
    const reports = join(directory, 'reports');
    await mkdir(reports);
    // Engines run as another user.
    await chmod(reports, 0o777);
    const first = join(postgres.directory, 'lib', 'kluster_sanitize_first.so');
    const environment = {
      KLUSTER_TEST_POSTGRES: postgres.directory,
      [preloadVariable]: `${await sanitizerLibrary()}:${first}`,
      [reportsVariable]: reports,
    };
    const passed = await runTests(positionals.length === 0 ? regressionTests : positionals, environment);
    const findings = await findingsOf(reports);
    for (const finding of findings) process.stdout.write(`${finding}\n\n`);
    process.stdout.write(`sanitize: ${String(findings.length)} findings\n`);
    return passed && findings.length === 0 ? 0 : 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function sanitizerLibrary(): Promise<string> {
  const advice = 'Install gcc with libasan.';
  return realpath((await runOrFail(['gcc', '-print-file-name=libasan.so'], advice)).trim());
}

async function runTests(
  filters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<boolean> {
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...filters], {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  await once(child, 'exit');
  return child.exitCode === 0;
}

async function findingsOf(reports: string): Promise<readonly string[]> {
  const texts = await Promise.all(
    (await readdir(reports)).map((name) => readFile(join(reports, name), 'utf8')),
  );
  return [...new Set(texts.flatMap(findingsIn))];
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`sanitize: ${errorText(error)}\n`);
  if (error instanceof SetupError) process.stderr.write(`sanitize: ${error.advice}\n`);
  process.exitCode = 1;
}
