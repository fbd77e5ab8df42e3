import { expect } from 'vitest';

/**
 * What the pages of the existing web console do with the attachment of get_status while they poll create_cluster or
 * delete_cluster. A page that reads a key of something undefined hangs with its dialog open, so every access here is one
 * that would throw there.
 */
export type ClusterPage = 'create' | 'delete';

type Unknown = Readonly<Record<string, unknown>>;

const partStates = ['prepare', 'dispatch', 'ongoing', 'done', 'failed'];

function objectOf(value: unknown, what: string): Unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`the page reads keys of ${what}, which is ${JSON.stringify(value)}`);
  }
  return { ...value };
}

function firstOf(value: unknown, what: string): Unknown {
  if (!Array.isArray(value))
    throw new TypeError(`the page iterates ${what}, which is ${JSON.stringify(value)}`);
  const items: readonly unknown[] = value;
  return objectOf(items[0], `${what}[0]`);
}

/** Text that the page splits; `undefined.split` is its most frequent crash. */
function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string')
    throw new TypeError(`the page splits ${what}, which is ${JSON.stringify(value)}`);
  return value;
}

/** `ip_port;ip_port;`: the page cuts the last character, whatever it is, and splits. */
function hostsOf(value: unknown, what: string): readonly string[] {
  const hosts = textOf(value, what);
  if (hosts === '') return [];
  const names = hosts.slice(0, -1).split(';');
  for (const name of names) expect(name, what).toMatch(/^[\d.]+_\d+$/);
  return names;
}

export interface ShownProgress {
  readonly shardLabel: string;
  readonly computerLabel: string;
  readonly storageHosts: readonly string[];
  readonly computerHosts: readonly string[];
}

/** Null: the page shows nothing yet. Throws where the page would. */
export function readClusterPage(page: ClusterPage, reply: Unknown): ShownProgress | null {
  if (!Object.hasOwn(reply, 'attachment')) throw new TypeError('the page compares attachment with null');
  expect(['ongoing', 'done', 'failed']).toContain(reply['status']);
  if (reply['attachment'] === null) return null;
  const attachment = objectOf(reply['attachment'], 'attachment');
  const [shardLabel = '', computerLabel = ''] = textOf(attachment['job_steps'], 'job_steps').split(',');
  const computerStep = firstOf(attachment['computer_step'], 'computer_step');
  const shardStep = firstOf(attachment['shard_step'], 'shard_step');
  for (const state of [attachment['storage_state'], attachment['computer_state']]) {
    expect(partStates).toContain(state);
  }
  expect(partStates).toContain(computerStep['computer_state']);
  expect(partStates).toContain(shardStep['storage_state']);
  textOf(computerStep['error_info'], 'computer_step[0].error_info');
  textOf(shardStep['error_info'], 'shard_step[0].error_info');
  const storageHosts =
    page === 'create'
      ? shardsOf(shardStep)
      : hostsOf(shardStep['storage_hosts'], 'shard_step[0].storage_hosts');
  return {
    shardLabel,
    computerLabel,
    storageHosts,
    computerHosts: hostsOf(computerStep['computer_hosts'], 'computer_step[0].computer_hosts'),
  };
}

/** The create page draws one row per shard from shard_ids, and the operation log reads shard_hosts[0]. */
function shardsOf(shardStep: Unknown): readonly string[] {
  const ids = objectOf(firstOf(shardStep['shard_ids'], 'shard_ids'), 'shard_ids[0]');
  const hosts: unknown = shardStep['shard_hosts'];
  if (!Array.isArray(hosts)) throw new TypeError('the page iterates shard_hosts');
  const names = hosts.flatMap((entry: unknown) => Object.keys(objectOf(entry, 'shard_hosts[0]')));
  expect(names).toEqual(expect.arrayContaining(Object.keys(ids)));
  return hosts.flatMap((entry: unknown) =>
    Object.entries(objectOf(entry, 'shard_hosts[0]')).flatMap(([name, text]) => hostsOf(text, name)),
  );
}
