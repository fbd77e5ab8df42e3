import { join } from 'node:path';
import type { CpuLimit } from '../../core/model.ts';
import { coresOfQuota, periodUs, quotaUs, type CgroupDriver } from './driver.ts';
import { makeGroup, readControl, removeGroup, writeControl } from './files.ts';

const noQuota = '-1';
/** cpu.shares of one core, and of a group without a limit. */
const sharesPerCore = 1_024;
/** The kernel's least. */
const leastShares = 2;

/** cgroup v1 (kernel documentation, scheduler/sched-bwc): cpu.cfs_quota_us, cpu.cfs_period_us, cpu.shares. */
export function cgroupV1(root: string): CgroupDriver {
  const group = (id: string): string => join(root, id);

  const readLimit = (id: string): CpuLimit | null => {
    const read = (name: string): number => Number(readControl(join(group(id), name)));
    const quota = read('cpu.cfs_quota_us');
    if (quota > 0) return { cores: coresOfQuota(quota, read('cpu.cfs_period_us')), mode: 'quota' };
    const shares = read('cpu.shares');
    return shares === sharesPerCore ? null : { cores: shares / sharesPerCore, mode: 'share' };
  };

  return {
    version: 'v1',
    join(id, pid) {
      makeGroup(group(id));
      writeControl(join(group(id), 'cgroup.procs'), String(pid));
    },
    setLimit(id, limit) {
      makeGroup(group(id));
      const write = (name: string, value: string): void => {
        writeControl(join(group(id), name), value);
      };
      const shares = limit?.mode === 'share' ? Math.round(limit.cores * sharesPerCore) : sharesPerCore;
      write('cpu.shares', String(Math.max(leastShares, shares)));
      write('cpu.cfs_period_us', String(periodUs));
      write('cpu.cfs_quota_us', limit?.mode === 'quota' ? String(quotaUs(limit.cores)) : noQuota);
      const found = readLimit(id);
      // One core's share is the default: it cannot be told from no limit, and means the same.
      return found === null && limit?.mode === 'share' ? limit : found;
    },
    remove(id) {
      removeGroup(group(id));
    },
  };
}
