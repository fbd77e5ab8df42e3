import { readFile } from 'node:fs/promises';
import type Type from 'typebox';
import Value from 'typebox/value';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { replaceFile } from '../engines/replace-file.ts';

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** The content of a file, `undefined` when there is none. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** `/tokens/0/name` → `tokens[0].name`. */
function fieldName(instancePath: string): string {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}

/**
 * The content of a JSON file, checked against a schema; `undefined` when there is no file. Throws `configuration`
 * naming every field that breaks a rule, and the rule.
 */
export async function readJsonFile<Schema extends Type.TSchema>(
  path: string,
  schema: Schema,
): Promise<Type.Static<Schema> | undefined> {
  const text = await readTextFile(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new KlusterError('configuration', `${path} is not JSON`, { cause: error });
  }
  if (Value.Check(schema, value)) return value;
  const broken = Value.Errors(schema, value)
    // The reason beside it names the key; this one only says "schema is false".
    .filter((error) => error.keyword !== 'boolean')
    .map((error) => {
      const rule =
        error.keyword === 'additionalProperties'
          ? `has unknown keys: ${error.params.additionalProperties.join(', ')}`
          : error.message;
      return `${fieldName(error.instancePath) || 'the file'} ${rule}`;
    });
  throw new KlusterError('configuration', `${path}: ${broken.join('; ')}`);
}

/** Writes a JSON file that people read and edit; a new one is readable by its owner only. */
export async function writeJsonFile<Schema extends Type.TSchema>(
  path: string,
  value: Type.Static<Schema>,
): Promise<void> {
  await replaceFile(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** What another user's file says is unknown, which is no error where it is not needed. */
export async function unlessForbidden<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') return undefined;
    throw error;
  }
}
