import { execFile } from 'node:child_process';
import { mkdir, open, statfs, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** MiB: room for the nodes of a machine, and little enough to be filled in a moment. */
const sizeMb = 1400;
/** What a file system needs for itself. */
const overheadMb = 50;
const ballastName = 'ballast';

/**
 * The disk of one machine, in memory. Where loop devices can be had it has a file system of its own that can be frozen, as by a
 * disk that does not answer any more; elsewhere it can only be filled. Needs root.
 */
export class Disk {
  readonly path: string;
  readonly canFreeze: boolean;
  readonly #mounts: readonly string[];

  private constructor(path: string, mounts: readonly string[], canFreeze: boolean) {
    this.path = path;
    this.#mounts = mounts;
    this.canFreeze = canFreeze;
  }

  /** Mounted at `path`, which is made. */
  static async make(path: string): Promise<Disk> {
    await mkdir(path, { recursive: true });
    const memory = `${path}.memory`;
    await mkdir(memory);
    await mountMemory(memory, sizeMb + overheadMb);
    try {
      const image = join(memory, 'image');
      const file = await open(image, 'w');
      await file.close();
      await truncate(image, sizeMb * 1024 * 1024);
      await run('mkfs.ext4', ['-q', '-m', '0', '-O', '^has_journal', image]);
      await run('mount', ['-o', 'loop', image, path]);
      return new Disk(path, [path, memory], true);
    } catch {
      // No loop device, or no tools for the file system.
      await unmount(memory);
      await mountMemory(path, sizeMb);
      return new Disk(path, [path], false);
    }
  }

  /** No write comes back from now on. */
  async freeze(): Promise<void> {
    await run('fsfreeze', ['--freeze', this.path]);
  }

  async thaw(): Promise<void> {
    await run('fsfreeze', ['--unfreeze', this.path]);
  }

  /** @returns how many blocks are left */
  async fill(): Promise<number> {
    const file = await open(join(this.path, ballastName), 'w');
    try {
      const block = Buffer.alloc(1024 * 1024);
      for (let written = 0; written < sizeMb; written += 1) await file.write(block);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      await file.close();
    }
    return (await statfs(this.path)).bavail;
  }

  async empty(): Promise<void> {
    await unlink(join(this.path, ballastName));
  }

  async release(): Promise<void> {
    for (const mount of this.#mounts) await unmount(mount);
  }
}

async function mountMemory(path: string, megabytes: number): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m,mode=0755`, 'tmpfs', path]);
}

/** A process that was just killed may hold the disk for a moment. */
async function unmount(path: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run('umount', [path]);
      return;
    } catch (error) {
      if (attempt >= 20) throw error;
      await sleep(100);
    }
  }
}
