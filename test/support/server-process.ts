import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/catalog/package-root.ts';
import { clockVariable } from './stepped-clock.ts';

/** On a machine that has much else to do. */
const startDeadlineMs = 120_000;
const pollMs = 20;

/** A server in a process of its own. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<NodeJS.Signals | number | null>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? code));
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('a server process did not start');
    return pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** To its standard input, which ends then. */
  tell(text: string): void {
    this.#child.stdin?.end(text);
  }

  /** SIGKILL: no farewell to anybody. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** Compiled, because Node alone cannot run the sources and every start counts. */
export function compiled(name: string): string {
  const program = join(packageRoot(), 'dist', 'test', 'support', `${name}.js`);
  if (!existsSync(program)) throw new Error(`${program} is missing: compile first (npm test does)`);
  return program;
}

export async function startServer(
  command: readonly string[],
  logFile: string,
  clock: string,
): Promise<ServerProcess> {
  const [file = process.execPath, ...args] = command;
  const log = await open(logFile, 'a');
  try {
    return new ServerProcess(
      spawn(file, args, {
        stdio: ['pipe', log.fd, log.fd],
        env: { ...process.env, [clockVariable]: clock },
      }),
    );
  } finally {
    await log.close();
  }
}

/** Waits until the server takes connections; or says how it has ended. */
export async function served(
  server: ServerProcess,
  at: { readonly host: string; readonly port: number },
): Promise<'serving' | NodeJS.Signals | number | null> {
  const deadline = performance.now() + startDeadlineMs;
  while (performance.now() < deadline) {
    if (!server.isRunning) return server.ended;
    if (await accepts(at)) return 'serving';
    await sleep(pollMs);
  }
  await server.kill();
  throw new Error(`no answer at ${at.host}:${String(at.port)} within ${String(startDeadlineMs)} ms`);
}

function accepts(at: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    // From the address itself, a port that Linux gives to outgoing connections now and then connects with itself, and is
    // taken for a minute then.
    const from = at.host.startsWith('127.') ? { localAddress: '127.255.255.254' } : {};
    const socket = connect({ ...at, ...from });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
