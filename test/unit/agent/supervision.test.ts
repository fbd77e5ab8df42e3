import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Backoff } from '../../../src/agent/backoff.ts';
import { makeDirectories, removeDirectories } from '../../../src/agent/instance-directories.ts';
import { tellingLines } from '../../../src/agent/log-tail.ts';
import { RestartTimer } from '../../../src/agent/restart-timer.ts';
import { NonceMemory } from '../../../src/agent/nonce-memory.ts';
import { instanceId } from '../../../src/core/ids.ts';
import { engineUser } from '../../../src/engines/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

describe('delays between restarts', () => {
  test('double up to a minute', () => {
    const backoff = new Backoff();
    const delays = Array.from({ length: 12 }, () => backoff.next(0));
    expect(delays.slice(0, 4)).toEqual([250, 500, 1_000, 2_000]);
    expect(delays.at(-1)).toBe(60_000);
    expect(backoff.failing).toBe(true);
  });

  test('begin anew after a stable run', () => {
    const backoff = new Backoff();
    for (let start = 0; start < 6; start += 1) backoff.next(100);
    expect(backoff.next(Backoff.stableMs)).toBe(250);
    expect(backoff.failing).toBe(false);
  });
});

describe('a restart that waits', () => {
  const timer = () => {
    const state = { starts: 0 };
    const restarts: RestartTimer = new RestartTimer(() => {
      restarts.begun();
      state.starts += 1;
      return Promise.resolve();
    });
    // The next one comes after eight seconds.
    for (let failure = 0; failure < 6; failure += 1) restarts.scheduleAfter(0);
    return { state, restarts };
  };

  test('comes at once when what hindered it is over', async () => {
    const { state, restarts } = timer();
    expect(restarts.isFailing).toBe(true);
    restarts.hurry();
    await expect.poll(() => state.starts).toBe(1);
    expect(restarts).toMatchObject({ isFailing: false, isPending: false });
    // Nothing waits any more: there is nothing to hurry.
    restarts.hurry();
    expect(restarts.isPending).toBe(false);
  });

  test('does not come when it is cancelled', async () => {
    const { state, restarts } = timer();
    restarts.cancel();
    restarts.hurry();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(state.starts).toBe(0);
  });
});

test('nonces are remembered until they expire, and not longer', () => {
  const nonces = new NonceMemory();
  expect(nonces.use('a', 100, 0)).toBe(true);
  expect(nonces.use('a', 100, 100)).toBe(false);
  expect(nonces.use('b', 300, 150)).toBe(true);
  expect(nonces.size).toBe(1);
});

describe('directories of an instance', () => {
  const id = instanceId('node');

  async function newOwned() {
    const base = await scratchDirectory();
    return {
      base,
      owned: { instanceId: id, token: 'token-1', directories: [join(base, 'a/node'), join(base, 'b/node')] },
    };
  }

  test('are made and removed whole, also when removing was interrupted', async () => {
    const { base, owned } = await newOwned();
    const user = await engineUser();
    await makeDirectories(owned, user);
    await writeFile(join(base, 'a/node/file'), 'x');
    await mkdir(join(base, 'b/.node.token-1/half-removed'), { recursive: true });
    expect(await removeDirectories(owned)).toEqual([]);
    expect([await readdir(join(base, 'a')), await readdir(join(base, 'b'))]).toEqual([[], []]);
    expect(await removeDirectories(owned)).toEqual([]);
  });

  test('of another instance with the same name are neither taken nor removed', async () => {
    const { base, owned } = await newOwned();
    const user = await engineUser();
    await makeDirectories(owned, user);
    const other = { ...owned, token: 'token-2' };
    await expect(makeDirectories(other, user)).rejects.toMatchObject({ kind: 'instance_conflict' });
    expect(await removeDirectories(other)).toEqual(owned.directories);
    expect(await readdir(join(base, 'a'))).toEqual(['node']);
  });
});

test('an error message quotes the lines that tell why', () => {
  const log = ['start', '[Warning] a', '[ERROR] [MY-1] disk full', '[Note] end', ''].join('\n');
  expect(tellingLines(log)).toBe('[ERROR] [MY-1] disk full');
  expect(tellingLines('one\ntwo\n')).toBe('one | two');
});
