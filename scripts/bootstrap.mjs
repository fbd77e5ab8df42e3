// @ts-check
/**
 * The entry of `npm run up|down|setup|test|check|chaos|sanitize|bench`. It makes this checkout runnable (dependencies installed, sources
 * compiled), each only when something changed, and then runs the task. It is the only JavaScript of the project and
 * uses nothing but Node, because it has to run before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installStamp = join(root, 'node_modules', '.kluster-install');
const buildStamp = join(root, 'dist', '.kluster-build');
const lockFile = join(root, '.bootstrap.lock');
const lockDeadlineSeconds = 900;
const compiled = ['src', 'scripts', 'test', 'bench', 'vitest.config.ts', 'tsconfig.json'];
const npmArguments = [
  'ci',
  '--include=dev',
  '--include=optional',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
];
const tsc = join('node_modules', 'typescript', 'bin', 'tsc');

/** An error that the user can do something about; printed without a stack. */
class BootstrapError extends Error {}

/** Each task: commands that run one after the other while they succeed. @type {Record<string, (args: string[]) => string[][]>} */
const tasks = {
  up: (args) => [
    ['dist/scripts/setup/main.js', '--for-up'],
    ['bin/kluster', 'up', ...args],
  ],
  down: (args) => [['bin/kluster', 'down', ...args]],
  setup: (args) => [['dist/scripts/setup/main.js', ...args]],
  test: (args) => [
    ['dist/scripts/setup/main.js', '--for-tests'],
    ['node_modules/vitest/vitest.mjs', 'run', ...args],
  ],
  docs: () => [['dist/scripts/docs/main.js']],
  check: (args) => [['dist/scripts/check/main.js', ...args]],
  chaos: (args) => [
    ['dist/scripts/setup/main.js', '--for-tests'],
    ['dist/test/chaos/main.js', ...args],
  ],
  sanitize: (args) => [
    ['dist/scripts/setup/main.js', '--for-tests'],
    ['dist/scripts/sanitize/main.js', ...args],
  ],
  bench: (args) => [
    ['dist/scripts/setup/main.js', '--for-tests'],
    ['dist/bench/main.js', ...args],
  ],
};

function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const needed = String(engines.node).replace('>=', '');
  const [needMajor = 0, needMinor = 0] = needed.split('.').map(Number);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new BootstrapError(
    `Kluster needs Node.js ${needed} or newer; this is ${process.version} (${process.execPath}).`,
  );
}

/** What node_modules was installed from; another Node ABI or processor needs other native packages. */
function wantedInstall() {
  const hash = createHash('sha256');
  hash.update(readFileSync(join(root, 'package-lock.json')));
  hash.update(`${process.platform} ${process.arch} ${process.versions.modules}`);
  return hash.digest('hex');
}

/** Path, size and time of every source, and what it is compiled with. */
function wantedBuild() {
  const hash = createHash('sha256').update(wantedInstall());
  for (const name of compiled) addToHash(hash, name);
  return hash.digest('hex');
}

/** @param {import('node:crypto').Hash} hash @param {string} name */
function addToHash(hash, name) {
  const found = statSync(join(root, name), { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isDirectory()) {
    for (const child of readdirSync(join(root, name)).sort()) addToHash(hash, join(name, child));
  } else {
    hash.update(`${name} ${found.size} ${found.mtimeMs}\n`);
  }
}

/** @param {string} stamp @param {string} wanted */
function isStamped(stamp, wanted) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/** Written last and by rename: a stamp that is there is true. @param {string} stamp @param {string} wanted */
function writeStamp(stamp, wanted) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(`${stamp}.new`, wanted);
  renameSync(`${stamp}.new`, stamp);
}

/**
 * Runs `work` while no other bootstrap of this checkout does. The kernel holds the lock (flock(2)) for the open file, so
 * it cannot become stale. Programs that change the checkout inherit the file: when this process is killed, the lock stays
 * until they have ended. The file names the process for people who wonder.
 * @param {(file: number) => void} work
 */
function whileLocked(work) {
  const file = openLock();
  try {
    if (!flock(file, 0)) {
      say(
        `waiting for another bootstrap in this checkout (process ${readFileSync(lockFile, 'utf8').trim()})`,
      );
      if (!flock(file, lockDeadlineSeconds))
        throw new BootstrapError(`${lockFile} is still held after ${lockDeadlineSeconds} s.`);
    }
    writeFileSync(lockFile, `${process.pid}\n`);
    work(file);
  } finally {
    closeSync(file);
  }
}

function openLock() {
  try {
    return openSync(lockFile, 'a+');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BootstrapError(
      `${root} has to be installed or compiled again, by a user who may write it: ${reason}`,
    );
  }
}

/** flock(1) locks the open file that it inherits, and the lock stays when flock itself ends. @param {number} file @param {number} seconds */
function flock(file, seconds) {
  const stdio = /** @type {const} */ (['ignore', 'ignore', 'inherit']);
  const { error, status } = spawnSync('flock', ['--exclusive', '--timeout', `${seconds}`, '3'], {
    stdio: [...stdio, file],
  });
  if (error) throw new BootstrapError(`flock (of util-linux) cannot be run: ${error.message}`);
  return status === 0;
}

/** Development dependencies are needed to compile, whatever NODE_ENV or the user's npm configuration say. @param {number} lock */
function install(lock) {
  const wanted = wantedInstall();
  if (isStamped(installStamp, wanted)) return;
  say('installing dependencies (npm ci)');
  const environment = { ...process.env };
  delete environment['NODE_ENV'];
  rmSync(installStamp, { force: true });
  const { error, status, signal } = spawnSync('npm', npmArguments, {
    cwd: root,
    env: environment,
    stdio: ['ignore', 2, 2, lock],
  });
  if (error) throw new BootstrapError(`npm cannot be run: ${error.message}`);
  if (status !== 0) {
    throw new BootstrapError(`npm ci failed (${signal ?? `status ${status}`}); see its messages above.`);
  }
  writeStamp(installStamp, wanted);
}

/** @param {number} lock @param {boolean} quietly @returns {boolean} false when a source has errors */
function build(lock, quietly) {
  const wanted = wantedBuild();
  if (isStamped(buildStamp, wanted)) return true;
  say('compiling');
  const messages = quietly ? 'ignore' : 2;
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], {
    cwd: root,
    stdio: ['ignore', messages, messages, lock],
  });
  if (status === 0) writeStamp(buildStamp, wanted);
  return status === 0;
}

/** @param {string} task */
function prepare(task) {
  if (!isStamped(installStamp, wantedInstall()) || !isStamped(buildStamp, wantedBuild())) {
    whileLocked((lock) => {
      install(lock);
      // `check` reports errors of sources itself, beside those of the other checks.
      const isCheck = task === 'check';
      if (!build(lock, isCheck) && !isCheck)
        throw new BootstrapError('The sources do not compile; see the messages above.');
    });
  }
}

/**
 * Runs a script of the project with this Node; its exit status and signals pass through.
 * @param {string[]} command @returns {Promise<{ status: number | null, signal: NodeJS.Signals | null }>}
 */
function run(command) {
  const [script = '', ...args] = command;
  // Paths that a user gives to up and down are relative to where the user is; tools look for their files in the root.
  const cwd = script.startsWith('bin/') ? process.cwd() : root;
  const child = spawn(process.execPath, [join(root, script), ...args], { cwd, stdio: 'inherit' });
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = signals.map((signal) => {
    // A terminal sends SIGINT to the whole process group: the child has it already.
    const handler = () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal));
    process.on(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      for (const stop of forward) stop();
      resolve({ status, signal });
    });
  });
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`kluster: ${text}\n`);
}

async function main() {
  const [task = '', ...args] = process.argv.slice(2);
  const commands = tasks[task];
  if (commands === undefined) {
    throw new BootstrapError(`usage: node scripts/bootstrap.mjs ${Object.keys(tasks).join('|')} [argument…]`);
  }
  requireNode();
  prepare(task);
  for (const command of commands(args)) {
    const { status, signal } = await run(command);
    // Ended by a signal: end by the same one, so that the caller sees what happened.
    if (signal !== null) process.kill(process.pid, signal);
    process.exitCode = status ?? 1;
    if (status !== 0) return;
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof BootstrapError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
