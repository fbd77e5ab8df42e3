import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cgroupV1 } from '../../../src/agent/cgroup/v1.ts';
import { cgroupV2 } from '../../../src/agent/cgroup/v2.ts';
import { scratchDirectory } from '../../support/scratch.ts';

// Plain files stand for the kernel's: what is written and how it is read back is what these drivers are made of.
// The driver of this machine's own version is tested on the kernel in test/integration/agent/protocol.test.ts.

async function group(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await scratchDirectory();
  await mkdir(join(root, 'node'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(root, 'node', name), content);
  return root;
}

test('v1: quota and period, or shares', async () => {
  const root = await group({ 'cpu.cfs_quota_us': '-1', 'cpu.cfs_period_us': '100000', 'cpu.shares': '1024' });
  const driver = cgroupV1(root);
  expect(driver.setLimit('node', { cores: 1.5, mode: 'quota' })).toEqual({ cores: 1.5, mode: 'quota' });
  expect(await readFile(join(root, 'node/cpu.cfs_quota_us'), 'utf8')).toBe('150000');
  expect(driver.setLimit('node', { cores: 2, mode: 'share' })).toEqual({ cores: 2, mode: 'share' });
  expect(await readFile(join(root, 'node/cpu.cfs_quota_us'), 'utf8')).toBe('-1');
  expect(await readFile(join(root, 'node/cpu.shares'), 'utf8')).toBe('2048');
  expect(driver.setLimit('node', null)).toBeNull();
});

test('v2: cpu.max, or cpu.weight', async () => {
  const root = await group({ 'cpu.max': 'max 100000', 'cpu.weight': '100' });
  const driver = cgroupV2(root);
  expect(driver.setLimit('node', { cores: 0.25, mode: 'quota' })).toEqual({ cores: 0.25, mode: 'quota' });
  expect(await readFile(join(root, 'node/cpu.max'), 'utf8')).toBe('25000 100000');
  expect(driver.setLimit('node', { cores: 3, mode: 'share' })).toEqual({ cores: 3, mode: 'share' });
  expect(await readFile(join(root, 'node/cpu.max'), 'utf8')).toBe('max 100000');
  expect(driver.setLimit('node', null)).toBeNull();
});
