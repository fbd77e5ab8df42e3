import { KlusterError, errorText } from '../../src/core/errors/kluster-error.ts';
import { engineUserName, enginesDirectory } from '../../src/engines/installation.ts';
import { defaultHomeDirectory, homeAt } from '../../src/manager/home.ts';
import { readHomeConfig } from '../../src/manager/home-config.ts';
import { lookUpUser } from '../../src/engines/engine-user.ts';
import { installExtension, presentExtension } from './compute-extension.ts';
import { makeEngineUser } from './engine-user.ts';
import { installMysql, presentMysql } from './mysql.ts';
import { installPostgres, presentPostgres } from './postgres.ts';
import { SetupError, progress } from './report.ts';
import { interruptPrograms } from './run-program.ts';
import { installTestTools, missingTestTools } from './test-tools.ts';

interface State {
  readonly isComplete: boolean;
  readonly text: string;
}

const missing: State = { isComplete: false, text: 'missing' };

/** One thing that a machine needs; each answers with one line that describes what is there. */
interface Part {
  readonly name: string;
  readonly present: () => Promise<State>;
  readonly install: () => Promise<string>;
}

const describeEngine = ({ version, directory }: { version: string; directory: string }): string =>
  `${version} in ${directory}`;

const isRoot = process.getuid?.() === 0;
const describeUser = (uid: number | undefined): string =>
  uid === undefined ? 'not there, and not needed without root' : `uid ${uid}`;

const engines: readonly Part[] = [
  {
    name: `user ${engineUserName}`,
    present: async () => {
      const user = await lookUpUser(engineUserName);
      if (user === undefined && isRoot) return missing;
      return { isComplete: true, text: describeUser(user?.uid) };
    },
    install: async () => describeUser((await makeEngineUser())?.uid),
  },
  {
    name: 'PostgreSQL',
    present: async () => {
      const present = await presentPostgres();
      return present === undefined ? missing : { isComplete: true, text: describeEngine(present) };
    },
    install: async () => describeEngine(await installPostgres()),
  },
  {
    name: 'extension of PostgreSQL',
    present: async () => {
      const { isCurrent, text } = await presentExtension();
      return { isComplete: isCurrent, text };
    },
    install: installExtension,
  },
  {
    name: 'MySQL',
    present: async () => {
      const present = await presentMysql();
      return present === undefined ? missing : { isComplete: true, text: describeEngine(present) };
    },
    install: async () => describeEngine(await installMysql(enginesDirectory())),
  },
];

/** Needed by `npm test` and `npm run bench` only. */
const testTools: Part = {
  name: 'tools of the tests',
  present: async () => {
    const names = await missingTestTools();
    return {
      isComplete: names.length === 0,
      text: names.length === 0 ? 'there' : `${names.join(', ')} missing`,
    };
  },
  install: installTestTools,
};

async function check(parts: readonly Part[]): Promise<number> {
  const states = await Promise.all(parts.map(async ({ name, present }) => ({ name, ...(await present()) })));
  for (const { name, text } of states) progress(`${name}: ${text}`);
  return states.every((state) => state.isComplete) ? 0 : 1;
}

/** Tries every part, also when an earlier one failed, so that one run names everything that is missing. */
async function install(parts: readonly Part[], isQuiet: boolean): Promise<number> {
  let failures = 0;
  for (const part of parts) {
    try {
      if (isQuiet && (await part.present()).isComplete) continue;
      progress(`${part.name}: ${await part.install()}`);
    } catch (error) {
      failures += 1;
      process.stderr.write(`setup: ${part.name}: FAILED: ${errorText(error)}\n`);
      if (error instanceof SetupError) process.stderr.write(`setup:   ${error.advice}\n`);
      else if (error instanceof KlusterError) process.stderr.write(`setup:   ${error.hint}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}

/**
 * `--check` changes nothing; `--for-tests` adds what the tests need; `--for-up` tells only what it installs, and leaves out
 * the engines that the configuration of the home names.
 */
const flags: ReadonlySet<string> = new Set(['--check', '--for-tests', '--for-up']);

async function notConfigured(parts: readonly Part[]): Promise<readonly Part[]> {
  const config = await readHomeConfig(homeAt(defaultHomeDirectory(process.env)));
  const named = new Set([
    ...(config?.mysqlDirectory === undefined ? [] : ['MySQL']),
    ...(config?.postgresDirectory === undefined ? [] : ['PostgreSQL']),
  ]);
  return parts.filter(({ name }) => !named.has(name));
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((argument) => !flags.has(argument));
  if (unknown.length > 0) {
    process.stderr.write(
      `setup: unknown argument ${unknown.join(' ')}; usage: npm run setup [-- --check] [--for-tests] [--for-up]\n`,
    );
    return 2;
  }
  const wanted = args.includes('--for-up') ? await notConfigured(engines) : engines;
  const parts = args.includes('--for-tests') ? [...wanted, testTools] : wanted;
  return args.includes('--check') ? check(parts) : install(parts, args.includes('--for-up'));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interruptPrograms);
process.exitCode = await main(process.argv.slice(2));
