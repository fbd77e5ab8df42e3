import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** One tool that judges the sources; it passes when it exits with status 0. */
interface Check {
  readonly name: string;
  /** Relative to node_modules; run with this Node. */
  readonly program: string;
  readonly args: readonly string[];
}

interface Outcome {
  readonly check: Check;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
}

const deadlineMs = 5 * 60_000;
/** The tools use more than one thread themselves. */
const concurrency = 2;

const linted = ['src', 'scripts', 'test', 'bench', 'vitest.config.ts'].filter((path) => existsSync(path));

/** The slowest first, so that the run ends early. */
const checks: readonly Check[] = [
  { name: 'format', program: 'prettier/bin/prettier.cjs', args: ['--check', '--log-level=warn', '.'] },
  {
    name: 'lint',
    program: 'oxlint/bin/oxlint',
    args: ['--type-aware', '--deny-warnings', ...linted],
  },
  { name: 'unused', program: 'knip/bin/knip.js', args: ['--no-progress'] },
  { name: 'types', program: 'typescript/bin/tsc', args: ['-p', '.', '--noEmit', '--incremental', 'false'] },
  { name: 'types of bootstrap', program: 'typescript/bin/tsc', args: ['-p', 'scripts'] },
  { name: 'duplicates', program: 'jscpd/run-jscpd.js', args: ['--no-tips'] },
];

async function run(check: Check): Promise<Outcome> {
  const started = performance.now();
  const child = spawn(process.execPath, [join('node_modules', check.program), ...check.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    env: { ...process.env, NO_COLOR: '1' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await once(child, 'close');
  const seconds = (performance.now() - started) / 1000;
  const ended =
    child.signalCode === null ? '' : `ended by ${child.signalCode} after ${Math.round(seconds)} s\n`;
  return { check, passed: child.exitCode === 0, seconds, output: output + ended };
}

function print({ check, passed, seconds, output }: Outcome): void {
  console.log(`\n== ${check.name}`);
  if (!passed) console.log(output.trimEnd());
  console.log(`${check.name}: ${passed ? 'passed' : 'FAILED'} (${seconds.toFixed(1)} s)`);
}

/** Takes checks from the common queue until it is empty. */
async function worker(queue: Check[], outcomes: Outcome[]): Promise<void> {
  for (let check = queue.shift(); check !== undefined; check = queue.shift()) {
    const outcome = await run(check);
    print(outcome);
    outcomes.push(outcome);
  }
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) {
    console.error(
      `check: there is no check ${unknown.join(', ')}; there are: ${checks.map(({ name }) => name).join(', ')}`,
    );
    return 2;
  }
  const queue = checks.filter((check) => names.length === 0 || names.includes(check.name));
  const outcomes: Outcome[] = [];
  await Promise.all(Array.from({ length: concurrency }, () => worker(queue, outcomes)));
  const failed = outcomes.filter((outcome) => !outcome.passed).map((outcome) => outcome.check.name);
  console.log(
    `\ncheck: ${failed.length === 0 ? `all ${outcomes.length} passed` : `FAILED: ${failed.join(', ')}`}`,
  );
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
