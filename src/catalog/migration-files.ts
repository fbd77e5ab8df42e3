import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { packageRoot } from './package-root.ts';

/** One numbered file of statements, applied once; what has been executed of it never changes afterwards. */
export interface Migration {
  /** The four digits of the file name. */
  readonly number: number;
  /** File name, e.g. `0001_public_schema.sql`. */
  readonly name: string;
  readonly statements: readonly string[];
}

export const defaultMigrationsDirectory = (): string => join(packageRoot(), 'src/catalog/migrations');

const fileName = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** Statements are separated by a line `-- next`, so that none has to be parsed to find its end. */
function statementsOf(text: string): readonly string[] {
  return text
    .split(/^-- next$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

/** SHA-256 of statements, hexadecimal; comments count. */
export function checksumOf(statements: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(statements)).digest('hex');
}

/** All migrations of a directory in the order of their numbers. */
export async function readMigrations(directory: string): Promise<readonly Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const migrations = await Promise.all(names.map((name) => readMigration(directory, name)));
  const twin = migrations.find((migration, place) => migrations[place + 1]?.number === migration.number);
  if (twin !== undefined) {
    throw new KlusterError(
      'internal',
      `two migrations in ${directory} have the number ${String(twin.number)}`,
    );
  }
  return migrations;
}

async function readMigration(directory: string, name: string): Promise<Migration> {
  const digits = fileName.exec(name)?.[1];
  if (digits === undefined) {
    throw new KlusterError('internal', `${join(directory, name)} is not named like 0001_words_of_it.sql`);
  }
  const text = await readFile(join(directory, name), 'utf8');
  return {
    number: Number(digits),
    name,
    statements: statementsOf(text),
  };
}
