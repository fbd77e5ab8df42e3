import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';

/** The file that setup writes last into a prefix of its own: a prefix without it is not complete. */
export const engineMarkFile = 'engine.json';

const relativePath = Type.String({ minLength: 1, pattern: '^[^/]' });

/**
 * What setup put into a private prefix. All paths are relative to the prefix. Programs run through the prefix's own
 * dynamic loader, because they need a newer C library than the host has.
 */
export const PrivatePrefix = Type.Object({
  engine: Type.Literal('mysql'),
  version: Type.String({ pattern: '^\\d+\\.\\d+(\\.\\d+)?$' }),
  layout: Type.Object({
    loader: relativePath,
    libraries: Type.Array(relativePath, { minItems: 1 }),
    programs: Type.Array(relativePath, { minItems: 1 }),
    basedir: relativePath,
    plugins: relativePath,
    messages: relativePath,
  }),
});
export type PrivatePrefix = Static<typeof PrivatePrefix>;

/**
 * Reads the mark of a private prefix; undefined when the directory is not one.
 * @throws KlusterError engine_missing when the mark cannot be understood.
 */
export async function readPrivatePrefix(directory: string): Promise<PrivatePrefix | undefined> {
  const file = join(directory, engineMarkFile);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw new KlusterError('engine_missing', `${file} cannot be read: ${errorText(error)}`, { cause: error });
  });
  if (text === undefined) return undefined;
  try {
    return Value.Parse(PrivatePrefix, JSON.parse(text));
  } catch (error) {
    throw new KlusterError('engine_missing', `${file} does not describe an engine: ${errorText(error)}`, {
      cause: error,
    });
  }
}
