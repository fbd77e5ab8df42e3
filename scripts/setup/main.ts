import { KlusterError, errorText } from '../../src/core/errors/kluster-error.ts';
import { engineUserName, enginesDirectory } from '../../src/engines/installation.ts';
import { lookUpUser } from '../../src/engines/engine-user.ts';
import { makeEngineUser } from './engine-user.ts';
import { installMysql, presentMysql } from './mysql.ts';
import { installPostgres, presentPostgres, type PresentPostgres } from './postgres.ts';
import { SetupError, progress } from './report.ts';
import { interruptPrograms } from './run-program.ts';

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

const describeMysql = ({ version, directory }: { version: string; directory: string }): string =>
  `${version} in ${directory}`;

function describePostgres({ installation, hasForeignDataWrapper }: PresentPostgres): string {
  const { version, directory } = installation;
  return `${version} in ${directory}${hasForeignDataWrapper ? ' with mysql_fdw' : ', but without mysql_fdw'}`;
}

const isRoot = process.getuid?.() === 0;
const describeUser = (uid: number | undefined): string =>
  uid === undefined ? 'not there, and not needed without root' : `uid ${uid}`;

const parts: readonly Part[] = [
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
      if (present === undefined) return missing;
      return { isComplete: present.hasForeignDataWrapper, text: describePostgres(present) };
    },
    install: async () => describePostgres(await installPostgres()),
  },
  {
    name: 'MySQL',
    present: async () => {
      const present = await presentMysql();
      return present === undefined ? missing : { isComplete: true, text: describeMysql(present) };
    },
    install: async () => describeMysql(await installMysql(enginesDirectory())),
  },
];

async function check(): Promise<number> {
  const states = await Promise.all(parts.map(async ({ name, present }) => ({ name, ...(await present()) })));
  for (const { name, text } of states) progress(`${name}: ${text}`);
  return states.every((state) => state.isComplete) ? 0 : 1;
}

/** Tries every part, also when an earlier one failed, so that one run names everything that is missing. */
async function install(): Promise<number> {
  let failures = 0;
  for (const part of parts) {
    try {
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

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((argument) => argument !== '--check');
  if (unknown.length > 0) {
    process.stderr.write(`setup: unknown argument ${unknown.join(' ')}; usage: npm run setup [-- --check]\n`);
    return 2;
  }
  return args.includes('--check') ? check() : install();
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interruptPrograms);
process.exitCode = await main(process.argv.slice(2));
