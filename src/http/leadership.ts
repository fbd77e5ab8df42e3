import { KlusterError } from '../core/errors/kluster-error.ts';

/** Whether this manager may act. */
export interface Leadership {
  isLeader(): boolean;
}

export function requireLeader(leadership: Leadership, action: string): void {
  if (leadership.isLeader()) return;
  throw new KlusterError('not_leader', `This manager is not the leader, so it cannot ${action}`);
}
