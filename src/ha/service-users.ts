import type { Credential } from '../catalog/credentials.ts';

/** Users whose sessions on storage nodes are not clients. */
export function serviceUsers(accounts: ReadonlyMap<string, Credential>): readonly string[] {
  const purposes = ['management', 'replication', 'monitor'];
  return ['kluster_agent', ...purposes.flatMap((purpose) => accounts.get(purpose)?.user ?? [])];
}
