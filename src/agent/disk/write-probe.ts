import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { EngineUser } from '../../engines/installation.ts';
import { asUser, cleanEnvironment } from '../../engines/run-program.ts';

/** Like the size of most writes of an engine; written over again, so that it takes no more room. */
const blockBytes = 4096;
const shownOutput = 500;

/** How a write of an engine would end now. */
export type WriteOutcome =
  | { readonly kind: 'written' }
  | { readonly kind: 'no_room' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The probe itself could not be done, which says nothing about the disk. */
  | { readonly kind: 'unknown' };

/** As dd says it in the C locale. */
const noRoom = /No space left on device|Disk quota exceeded/;
const refused = /Read-only file system|Input\/output error|Structure needs cleaning/;

/**
 * Writes one block to a file and waits until the disk has it. In a process of its own, because a disk that does not answer
 * keeps whoever waits for it, without any way to give up: a thread of the agent would be lost to it, and the agent with it.
 */
export class WriteProbe {
  readonly outcome: Promise<WriteOutcome>;
  readonly #child: ChildProcess;

  constructor(file: string, user: EngineUser) {
    const args = [
      'if=/dev/zero',
      `of=${file}`,
      `bs=${String(blockBytes)}`,
      'count=1',
      'conv=notrunc,fsync',
      'status=none',
    ];
    const child = spawn('dd', args, {
      cwd: '/',
      env: cleanEnvironment,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...asUser(user),
    });
    this.#child = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-shownOutput);
    });
    this.outcome = new Promise((resolve) => {
      child.once('error', () => {
        resolve({ kind: 'unknown' });
      });
      child.once('close', (code) => {
        resolve(judged(code, said.trim()));
      });
    });
  }

  /** It does nothing but wait for the disk; a machine that is merely busy keeps it from running, not from waiting. */
  get waitsForDisk(): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      // After the program's name in parentheses, proc(5).
      return /\) D /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error) return false;
      throw error;
    }
  }

  /** Does not wait for it: a write that the disk holds up cannot be taken back. */
  abandon(): void {
    this.#child.kill('SIGKILL');
    this.#child.stderr?.destroy();
    this.#child.unref();
  }
}

function judged(code: number | null, said: string): WriteOutcome {
  if (code === 0) return { kind: 'written' };
  if (noRoom.test(said)) return { kind: 'no_room' };
  return refused.test(said) ? { kind: 'refused', reason: said } : { kind: 'unknown' };
}
