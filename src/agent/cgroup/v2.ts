import { join } from 'node:path';
import type { CpuLimit } from '../../core/model.ts';
import { coresOfQuota, periodUs, quotaUs, type CgroupDriver } from './driver.ts';
import { makeGroup, readControl, removeGroup, writeControl } from './files.ts';

/** cpu.weight of one core, and of a group without a limit. */
const weightPerCore = 100;
const mostWeight = 10_000;

/** cgroup v2 (kernel documentation, admin-guide/cgroup-v2): cpu.max and cpu.weight. */
export function cgroupV2(root: string): CgroupDriver {
  const group = (id: string): string => join(root, id);

  const readLimit = (id: string): CpuLimit | null => {
    const [quota, period] = readControl(join(group(id), 'cpu.max')).split(' ');
    if (quota !== 'max') return { cores: coresOfQuota(Number(quota), Number(period)), mode: 'quota' };
    const weight = Number(readControl(join(group(id), 'cpu.weight')));
    return weight === weightPerCore ? null : { cores: weight / weightPerCore, mode: 'share' };
  };

  return {
    version: 'v2',
    join(id, pid) {
      makeGroup(group(id));
      writeControl(join(group(id), 'cgroup.procs'), String(pid));
    },
    setLimit(id, limit) {
      makeGroup(group(id));
      const weight = limit?.mode === 'share' ? Math.round(limit.cores * weightPerCore) : weightPerCore;
      const quota = limit?.mode === 'quota' ? String(quotaUs(limit.cores)) : 'max';
      writeControl(join(group(id), 'cpu.weight'), String(Math.min(mostWeight, Math.max(1, weight))));
      writeControl(join(group(id), 'cpu.max'), `${quota} ${String(periodUs)}`);
      const found = readLimit(id);
      // One core's share is the default: it cannot be told from no limit, and means the same.
      return found === null && limit?.mode === 'share' ? limit : found;
    },
    remove(id) {
      removeGroup(group(id));
    },
  };
}
