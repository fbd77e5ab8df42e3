import { execFile } from 'node:child_process';
import {
  access,
  constants,
  mkdir,
  open,
  readFile,
  statfs,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** MiB: room for the nodes of a machine, and little enough to be filled in a moment. */
const sizeMb = 1400;
/** What a file system needs for itself. */
const overheadMb = 50;
const ballastName = 'ballast';
/** Of everybody's writes to a device (control groups version 1; version 2 has none at its root). */
const throttle = '/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device';

/**
 * The disk of one machine, in memory. Where loop devices can be had it has a file system of its own that can be frozen, as by a
 * disk that does not answer any more, and slowed down where the kernel's control groups can; elsewhere it can only be filled. Needs root.
 */
export class Disk {
  readonly path: string;
  readonly canFreeze: boolean;
  readonly #mounts: readonly string[];
  /** Its numbers, when writes to it can be slowed down. */
  readonly #device: string | null;

  private constructor(path: string, mounts: readonly string[], own: { device: string | null } | null) {
    this.path = path;
    this.#mounts = mounts;
    this.canFreeze = own !== null;
    this.#device = own?.device ?? null;
  }

  get canSlow(): boolean {
    return this.#device !== null;
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
      return new Disk(path, [path, memory], { device: await throttledDevice(path) });
    } catch {
      // No loop device, or no tools for the file system.
      await unmount(memory);
      await mountMemory(path, sizeMb);
      return new Disk(path, [path], null);
    }
  }

  /** No write comes back from now on. */
  async freeze(): Promise<void> {
    await run('fsfreeze', ['--freeze', this.path]);
  }

  async thaw(): Promise<void> {
    await run('fsfreeze', ['--unfreeze', this.path]);
  }

  /** @param writes of any size that it does in a second; null: as many as it can */
  async slow(writes: number | null): Promise<void> {
    if (this.#device === null) throw new Error(`the disk at ${this.path} cannot be slowed down`);
    await writeFile(throttle, `${this.#device} ${String(writes ?? 0)}`);
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
    if (this.canSlow) await this.slow(null);
    for (const mount of this.#mounts) await unmount(mount);
  }
}

async function throttledDevice(path: string): Promise<string | null> {
  try {
    await access(throttle, constants.W_OK);
  } catch {
    // No such control group on this machine.
    return null;
  }
  const { stdout } = await run('findmnt', ['--noheadings', '--output', 'SOURCE', path]);
  return (await readFile(join('/sys/block', basename(stdout.trim()), 'dev'), 'utf8')).trim();
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
