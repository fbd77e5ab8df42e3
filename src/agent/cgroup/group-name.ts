import type { InstanceRecord } from '../instance-record.ts';

/**
 * Name of an instance's cgroup. Ids are unique within an installation only, and several installations of one host share
 * the parent group; the token tells their instances apart.
 */
export function groupName({ instanceId, token }: Pick<InstanceRecord, 'instanceId' | 'token'>): string {
  return `${instanceId}.${token}`;
}
