import type { Account, AccountPurpose } from '../../core/agent-protocol.ts';
import { generatePassword } from '../../core/seal.ts';

/** The accounts that the manager makes on every storage node of a cluster. */
const storagePurposes = [
  'management',
  'replication',
  'compute',
  'monitor',
] as const satisfies AccountPurpose[];

export type StorageAccounts = Readonly<Record<(typeof storagePurposes)[number], Account>>;

/** New accounts for one cluster, each with a password of its own. */
export function newStorageAccounts(): StorageAccounts {
  const account = (purpose: AccountPurpose): Account => ({
    purpose,
    user: `kluster_${purpose}`,
    password: generatePassword(),
  });
  return {
    management: account('management'),
    replication: account('replication'),
    compute: account('compute'),
    monitor: account('monitor'),
  };
}
