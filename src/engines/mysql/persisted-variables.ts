import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, type Json } from '../../core/json.ts';
import type { FormerSetting } from '../../core/agent-protocol.ts';
import { replaceFile } from '../replace-file.ts';

/** Settings that no SET PERSIST may change over a restart: the manager alone makes a node writable. */
const neverPersisted: ReadonlySet<string> = new Set([
  'read_only',
  'super_read_only',
  'skip_replica_start',
  'skip_slave_start',
  'group_replication_start_on_boot',
  'group_replication_bootstrap_group',
  'offline_mode',
]);

const fileName = 'mysqld-auto.cnf';

/** The same without the settings above; the file groups variables in sections (manual, "Persisted System Variables"). */
export function withoutForbidden(persisted: Json): Json {
  if (!isJsonObject(persisted)) return persisted;
  const kept = Object.entries(persisted).filter(([name]) => !neverPersisted.has(name));
  return Object.fromEntries(
    kept.map(([name, value]) => [name, value === undefined ? null : withoutForbidden(value)]),
  );
}

/** The same with a variable as it was: with this value, or not set at all. */
export function withFormer(persisted: Json, { name, value }: FormerSetting): Json {
  if (!isJsonObject(persisted)) return persisted;
  return Object.fromEntries(
    Object.entries(persisted).flatMap(([key, entry = null]) => {
      if (key !== name) return [[key, withFormer(entry, { name, value })]];
      return value === null || !isJsonObject(entry) ? [] : [[key, { ...entry, Value: value }]];
    }),
  );
}

/** While the server is down: puts back what a variable was. */
export async function restorePersisted(dataDirectory: string, former: FormerSetting): Promise<void> {
  await changePersisted(dataDirectory, (persisted) => withFormer(persisted, former));
}

/**
 * mysqld reads persisted variables after its option file and so lets them win. Takes those away that would make a
 * node writable, or replicating, by itself.
 */
export async function dropForbiddenPersisted(dataDirectory: string): Promise<void> {
  await changePersisted(dataDirectory, withoutForbidden);
}

async function changePersisted(dataDirectory: string, change: (persisted: Json) => Json): Promise<void> {
  const path = join(dataDirectory, fileName);
  const persisted = await readPersisted(path);
  const kept = change(persisted);
  if (JSON.stringify(kept) !== JSON.stringify(persisted)) await replaceFile(path, JSON.stringify(kept));
}

/** Null when there is no such file. */
async function readPersisted(path: string): Promise<Json> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? null : (JSON.parse(text) as Json);
}

/** What SET PERSIST has left for a variable, as text; undefined when nothing. */
export async function persistedValue(dataDirectory: string, name: string): Promise<string | undefined> {
  return valueIn(await readPersisted(join(dataDirectory, fileName)), name);
}

function valueIn(persisted: Json, name: string): string | undefined {
  if (!isJsonObject(persisted)) return undefined;
  for (const [key, value] of Object.entries(persisted)) {
    if (key === name && isJsonObject(value) && typeof value['Value'] === 'string') return value['Value'];
    const found = value === undefined ? undefined : valueIn(value, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
