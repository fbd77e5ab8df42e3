import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import type {
  Account,
  AgentEvent,
  MysqlInstanceSpec,
  PostgresInstanceSpec,
} from '../../src/core/agent-protocol.ts';
import { AgentClient } from '../../src/client/agent.ts';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import { generatePassword, seal } from '../../src/core/seal.ts';
import type { AgentOptions } from '../../src/agent/agent.ts';
import { currentTestRun } from './test-run.ts';

export const testSecret = 'a-secret-that-only-tests-have';

const testAccounts: readonly Account[] = [
  { purpose: 'management', user: 'kluster_management', password: generatePassword() },
  { purpose: 'replication', user: 'kluster_replication', password: generatePassword() },
  { purpose: 'compute', user: 'kluster_compute', password: generatePassword() },
  { purpose: 'monitor', user: 'kluster_monitor', password: generatePassword() },
];

export function accountFor(purpose: Account['purpose']): Account {
  const account = testAccounts.find((candidate) => candidate.purpose === purpose);
  if (account === undefined) throw new Error(`there is no test account for ${purpose}`);
  return account;
}

const sealAccounts = (accounts: readonly Account[]): string =>
  seal(testSecret, 'agent-accounts', JSON.stringify(accounts));

/** Templates are kept from run to run beside the directories of the runs: making them takes seconds. */
async function sharedTemplates(): Promise<string> {
  const owner = String(process.getuid?.() ?? 0);
  const directory = join(dirname(currentTestRun().directory), `kluster-templates-${owner}`);
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o711);
  return directory;
}

/** Options of an agent that keeps everything below `directory`. */
export async function agentOptions(directory: string, address: { hostaddr: string; port: number }) {
  const secretFile = join(directory, 'secret');
  await writeFile(secretFile, `${testSecret}\n`, { mode: 0o600 });
  const options: AgentOptions = {
    ...address,
    stateDirectory: join(directory, 'state'),
    secretFile,
    templateDirectory: await sharedTemplates(),
  };
  return options;
}

export function testClient(address: { hostaddr: string; port: number }, epoch = 1): AgentClient {
  return new AgentClient({ ...address, secret: testSecret, epoch: () => epoch });
}

interface SpecBase {
  readonly hostaddr: string;
  readonly port: number;
  /** Data, binary logs and redo logs go into directories below. */
  readonly directory: string;
}

export function mysqlSpec(base: SpecBase, changes: Partial<MysqlInstanceSpec> = {}): MysqlInstanceSpec {
  return {
    engine: 'mysql',
    hostaddr: base.hostaddr,
    port: base.port,
    groupReplicationPort: base.port + 2,
    datadir: join(base.directory, 'data'),
    logdir: join(base.directory, 'logs'),
    walLogDir: join(base.directory, 'wal'),
    serverId: base.port,
    profile: 'small',
    labels: { role: 'storage' },
    sealedAccounts: sealAccounts(testAccounts),
    ...changes,
  };
}

export function postgresSpec(
  base: SpecBase,
  changes: Partial<PostgresInstanceSpec> = {},
): PostgresInstanceSpec {
  return {
    engine: 'postgres',
    hostaddr: base.hostaddr,
    port: base.port,
    datadir: join(base.directory, 'comp'),
    profile: 'small',
    labels: { role: 'compute' },
    sealedAccounts: sealAccounts([accountFor('management')]),
    ...changes,
  };
}

/** An agent in a process of its own, so that it can be killed. */
export interface AgentProcess {
  readonly pid: number;
  /** SIGKILL; engines live on. */
  kill(): Promise<void>;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolveEnd) => child.once('exit', resolveEnd));
}

/** Starts `agent-main.ts` from the build and waits until it serves. Ends with the test. */
export async function startAgentProcess(options: AgentOptions): Promise<AgentProcess> {
  const main = resolve('dist/test/support/agent-main.js');
  const child = spawn(process.execPath, [main, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended(child);
  };
  onTestFinished(kill);
  const { pid } = child;
  if (pid === undefined) throw new Error('the agent process did not start');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'serving') return { pid, kill };
  }
  throw new Error(`the agent process ended with ${String(child.exitCode)} before it served`);
}

/** Collects events until the test ends, or the agent does. */
export function watchEvents(client: AgentClient): AgentEvent[] {
  const events: AgentEvent[] = [];
  const stop = new AbortController();
  onTestFinished(() => {
    stop.abort();
  });
  void (async () => {
    for await (const event of client.events(stop.signal)) events.push(event);
  })().catch((error: unknown) => {
    if (!(error instanceof KlusterError && error.kind === 'agent_unreachable')) throw error;
  });
  return events;
}

/** Repeats until the answer is there. */
export async function eventually<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined> | Answer | undefined,
  withinMs = 10_000,
): Promise<Answer> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((tick) => setTimeout(tick, 10));
  }
  throw new Error(`not within ${String(withinMs)} ms: ${what}`);
}
