import type { CpuLimit } from '../../core/model.ts';

/** The kernel's cpu controller for the processes of instances; each has a group `kluster/<id>`. */
export interface CgroupDriver {
  readonly version: 'v1' | 'v2';
  /** Puts a process into the group of the instance, which is made when needed. Must not be put off after a start. */
  join(id: string, pid: number): void;
  /** Sets or lifts the limit and tells what the kernel has afterwards. */
  setLimit(id: string, limit: CpuLimit | null): CpuLimit | null;
  /** Removes the group; the processes in it must have ended. */
  remove(id: string): void;
}

/** Length of the interval in which a quota counts; the kernel's own default. */
export const periodUs = 100_000;

/** The kernel takes no quota below a millisecond. */
export const quotaUs = (cores: number): number => Math.max(1_000, Math.round(cores * periodUs));

export const coresOfQuota = (quota: number, period: number): number => quota / period;
