import { errorText } from '../../core/errors/kluster-error.ts';
import type { InstanceRecord } from '../instance-record.ts';
import type { CgroupDriver } from './driver.ts';

/** Before a start: puts the recorded limit in force, or leaves a warning. Serving without a limit is better than not serving. */
export function applyCpuLimit(
  cgroup: CgroupDriver | null,
  { cpuLimit, instanceId }: InstanceRecord,
  warnings: Map<string, string>,
): void {
  if (cpuLimit === null) return;
  const warn = (reason: string): void => {
    warnings.set('cgroup', `cpu limit not in force: ${reason}`);
  };
  if (cgroup === null) {
    warn('the machine has no writable cpu cgroup controller');
    return;
  }
  try {
    cgroup.setLimit(instanceId, cpuLimit);
    warnings.delete('cgroup');
  } catch (error) {
    warn(errorText(error));
  }
}

/** Puts processes into the group of their instance, but those that have ended since they were listed. */
export function joinAll(
  cgroup: CgroupDriver,
  instanceId: string,
  processes: readonly { readonly pid: number }[],
): void {
  for (const { pid } of processes) {
    try {
      cgroup.join(instanceId, pid);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}
