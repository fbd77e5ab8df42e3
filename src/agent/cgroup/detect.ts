import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { CgroupDriver } from './driver.ts';
import { isWritable, makeGroup, readControl, writeControl } from './files.ts';
import { cgroupV1 } from './v1.ts';
import { cgroupV2 } from './v2.ts';

const parent = 'kluster';

/** Lets groups below `directory` use the cpu controller; false when the kernel does not give it to us. */
function enableCpu(directory: string): boolean {
  if (!readControl(join(directory, 'cgroup.controllers')).split(' ').includes('cpu')) return false;
  try {
    writeControl(join(directory, 'cgroup.subtree_control'), '+cpu');
    return true;
  } catch (error) {
    // EBUSY: inside a container whose processes sit in its root group; EACCES, EPERM, EROFS: not ours to change.
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

/**
 * The cpu cgroup driver of this machine, or null when it has no controller that this process may write. On hybrid
 * systems the cpu controller belongs to one version; the other one's tree exists but does not have it.
 *
 * All instances with a limit together weigh as much as the machine has cores: otherwise they would share, on a busy
 * machine, what one ordinary process gets.
 */
export function detectCgroup(mount = '/sys/fs/cgroup'): CgroupDriver | null {
  const first = join(mount, 'cpu');
  if (existsSync(join(first, 'cpu.cfs_quota_us')) && isWritable(first)) {
    const root = join(first, parent);
    makeGroup(root);
    writeControl(join(root, 'cpu.shares'), String(1_024 * availableParallelism()));
    return cgroupV1(root);
  }
  if (!existsSync(join(mount, 'cgroup.controllers')) || !isWritable(join(mount, 'cgroup.subtree_control'))) {
    return null;
  }
  if (!enableCpu(mount)) return null;
  const root = join(mount, parent);
  makeGroup(root);
  writeControl(join(root, 'cpu.weight'), String(Math.min(10_000, 100 * availableParallelism())));
  return enableCpu(root) ? cgroupV2(root) : null;
}
