import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { diskAfter } from '../../../src/agent/disk/disk-state.ts';
import { DiskWatch } from '../../../src/agent/disk/disk-watch.ts';
import { WriteProbe, type WriteOutcome } from '../../../src/agent/disk/write-probe.ts';
import type { DiskReport } from '../../../src/core/agent-protocol.ts';
import { engineUser } from '../../../src/engines/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const mebibyte = 1024 * 1024;
const written: WriteOutcome = { kind: 'written' };

describe('the state of a disk', () => {
  it.for<readonly [string, DiskReport['state'], WriteOutcome, number | null, DiskReport['state']]>([
    ['has room', 'room', written, 500 * mebibyte, 'room'],
    ['has little room', 'room', written, 30 * mebibyte, 'low'],
    ['has less than a table grows by', 'room', written, 7 * mebibyte, 'full'],
    ['has a little again, which an engine would use up at once', 'full', written, 10 * mebibyte, 'full'],
    ['has enough again', 'full', written, 20 * mebibyte, 'low'],
    ['has room that the engine may not use: its quota', 'room', { kind: 'no_room' }, 500 * mebibyte, 'full'],
    ['has become read-only', 'room', { kind: 'refused', reason: 'Read-only file system' }, null, 'failing'],
    ['answers again', 'frozen', written, 500 * mebibyte, 'room'],
    ['could not be looked at', 'room', { kind: 'unknown' }, null, 'room'],
  ])('%s', ([, before, write, availableBytes, after]) => {
    expect(diskAfter(before, { write, availableBytes }).state).toBe(after);
  });
});

/** A disk that does as told. */
class FakeDisk {
  isFrozen = false;
  waitsForDisk = true;
  available = 500 * mebibyte;
  asked = 0;
  abandoned = 0;
  readonly told: DiskReport['state'][] = [];
  #release: () => void = () => undefined;
  readonly watch: DiskWatch = new DiskWatch({
    senses: {
      write: () => this.#write(),
      available: () => {
        this.asked += 1;
        return Promise.resolve(this.available);
      },
    },
    changed: () => {
      this.told.push(this.watch.report.state);
    },
    lookMs: 5,
    frozenMs: 30,
  });

  thaw(): void {
    this.isFrozen = false;
    this.#release();
  }

  #write() {
    const { waitsForDisk } = this;
    const outcome = this.isFrozen
      ? new Promise<WriteOutcome>((resolve) => {
          this.#release = () => resolve(written);
        })
      : Promise.resolve(written);
    const abandon = (): void => {
      this.abandoned += 1;
    };
    return { outcome, waitsForDisk, abandon };
  }
}

describe('the watch of a disk', () => {
  const disks: FakeDisk[] = [];
  const disk = (): FakeDisk => {
    const made = new FakeDisk();
    disks.push(made);
    return made;
  };
  afterEach(() => {
    for (const { watch } of disks.splice(0)) watch.stop();
  });

  it('tells once that it is full, and once that it has room', async () => {
    const fake = disk();
    fake.available = 0;
    await expect.poll(() => fake.told).toEqual(['full']);
    fake.available = 500 * mebibyte;
    await expect.poll(() => fake.told).toEqual(['full', 'room']);
  });

  it('tells that a write does not come back, asks nothing more of the disk meanwhile, and tells that it answers again', async () => {
    const fake = disk();
    fake.isFrozen = true;
    await expect.poll(() => fake.told).toEqual(['frozen']);
    const { asked } = fake;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fake.asked).toBe(asked);
    fake.thaw();
    await expect.poll(() => fake.told).toEqual(['frozen', 'room']);
  });

  it('does not take a machine that is too busy to write for a disk that does not answer', async () => {
    const fake = disk();
    fake.waitsForDisk = false;
    fake.isFrozen = true;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(fake.told).toEqual([]);
  });

  it('does not wait for the disk when it is stopped', async () => {
    const fake = disk();
    fake.isFrozen = true;
    await expect.poll(() => fake.told).toEqual(['frozen']);
    fake.watch.stop();
    await expect.poll(() => fake.abandoned).toBe(1);
  });
});

describe('a write of one block', () => {
  it('ends written, again and again', async () => {
    const directory = await scratchDirectory();
    const user = await engineUser();
    for (let time = 0; time < 2; time += 1) {
      expect(await new WriteProbe(join(directory, 'probe'), user).outcome).toEqual({ kind: 'written' });
    }
    expect(await readdir(directory)).toEqual(['probe']);
  });

  it('says nothing about a disk when it cannot be done at all', async () => {
    const directory = await scratchDirectory();
    const probe = new WriteProbe(join(directory, 'missing', 'probe'), await engineUser());
    expect(await probe.outcome).toEqual({ kind: 'unknown' });
  });

  it('finds a device without room', async () => {
    expect(await new WriteProbe('/dev/full', await engineUser()).outcome).toEqual({ kind: 'no_room' });
  });
});
