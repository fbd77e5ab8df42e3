import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, closeSync, openSync } from 'node:fs';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { EngineCommand } from '../engines/engine.ts';
import type { EngineUser } from '../engines/installation.ts';
import {
  childIdentity,
  isAlive,
  processTree,
  sendSignal,
  type ProcessIdentity,
} from '../engines/process-identity.ts';
import { asUser } from '../engines/run-program.ts';

export interface ProcessExit {
  readonly at: Date;
  /** In words: "exit code 1", "signal SIGKILL", "ended while this agent was not its parent". */
  readonly reason: string;
  /** Null when a signal ended it, or when nobody can know. */
  readonly code: number | null;
}

interface Launch {
  readonly command: EngineCommand;
  readonly user: EngineUser;
  readonly cwd: string;
  readonly logFile: string;
}

/** A process that this agent did not start cannot be waited for; its end is seen this much later at most. */
const pollMs = 50;

/**
 * The process of an engine. It is detached: it lives on when the agent ends, and the next agent adopts it.
 */
export class EngineProcess {
  readonly identity: ProcessIdentity;
  readonly exited: Promise<ProcessExit>;
  readonly #stopWatching: () => void;

  private constructor(identity: ProcessIdentity, exited: Promise<ProcessExit>, stopWatching: () => void) {
    this.identity = identity;
    this.exited = exited;
    this.#stopWatching = stopWatching;
  }

  /** Starts a process. @throws KlusterError instance_start_failed when the program cannot be executed. */
  static async launch({ command, user, cwd, logFile }: Launch): Promise<EngineProcess> {
    const log = openSync(logFile, 'a', 0o640);
    let child: ChildProcess;
    try {
      if (process.getuid?.() === 0) chownSync(logFile, user.uid, user.gid);
      child = spawn(command.file, [...command.args], {
        detached: true,
        stdio: ['ignore', log, log],
        cwd,
        env: { ...command.env },
        ...asUser(user),
      });
    } finally {
      closeSync(log);
    }
    const exited = new Promise<ProcessExit>((resolve) => {
      child.once('exit', (code, signal) => {
        const reason = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
        resolve({ at: new Date(), reason, code });
      });
    });
    if (child.pid === undefined) {
      const error = await new Promise<Error>((resolve) => child.once('error', resolve));
      throw new KlusterError(
        'instance_start_failed',
        `${command.file} cannot be started: ${errorText(error)}`,
      );
    }
    child.unref();
    return new EngineProcess(childIdentity(child.pid), exited, () => {
      child.removeAllListeners('exit');
    });
  }

  /** Watches a process that an earlier agent started. */
  static adopt(identity: ProcessIdentity): EngineProcess {
    let timer: NodeJS.Timeout | undefined;
    const exited = new Promise<ProcessExit>((resolve) => {
      timer = setInterval(() => {
        if (isAlive(identity)) return;
        clearInterval(timer);
        resolve({
          at: new Date(),
          reason: 'ended; this agent is not its parent and cannot know why',
          code: null,
        });
      }, pollMs);
    });
    return new EngineProcess(identity, exited, () => {
      clearInterval(timer);
    });
  }

  get pid(): number {
    return this.identity.pid;
  }

  signal(signal: NodeJS.Signals): void {
    sendSignal(this.identity, signal);
  }

  /** Ends the process and all that it started, now. */
  kill(): void {
    for (const member of processTree(this.identity)) sendSignal(member, 'SIGKILL');
  }

  /** Forgets the process and lets it run. */
  release(): void {
    this.#stopWatching();
  }
}
