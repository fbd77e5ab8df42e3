import { isJsonObject } from '../core/json.ts';

/** Keys of db_clusters.memo that consoles read; they list a cluster as abnormal when one of them is missing. */
const memoKeys = [
  'ha_mode',
  'shards',
  'nodes',
  'comps',
  'max_storage_size',
  'max_connections',
  'cpu_cores',
  'computer_user',
  'innodb_size',
  'dbcfg',
  'fullsync_level',
  'install_proxysql',
] as const;

/** What the cluster was made with, as text. Other keys may be added. */
export type ClusterMemo = Readonly<Record<(typeof memoKeys)[number], string>> &
  Readonly<Record<string, string>>;

/** Consoles expect the key; the password itself is in the credentials, sealed. */
const passwordKeys: ReadonlySet<string> = new Set(['computer_passwd', 'computer_password', 'computer_pwd']);

export function memoText(memo: Readonly<Record<string, string>>): string {
  const kept = Object.entries(memo).filter(([key]) => !passwordKeys.has(key));
  return JSON.stringify({ ...Object.fromEntries(kept), computer_passwd: '' });
}

/** Keys with text values of a stored memo; another program may have written it, so anything else in it is left out. */
export function parseMemo(text: string): Readonly<Record<string, string>> {
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
