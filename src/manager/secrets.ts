import { randomBytes, randomUUID } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { Home } from './home.ts';
import { readJsonFile, readTextFile, writeJsonFile } from './json-file.ts';

const secretBytes = 32;

/** The account that administers the metadata servers, and where these are. */
export const metadataCredentialsSchema = Type.Object(
  {
    nodes: Type.Array(
      Type.Object({ hostaddr: Type.String(), port: Type.Integer({ minimum: 1, maximum: 65_535 }) }),
      { minItems: 1 },
    ),
    user: Type.String({ minLength: 1 }),
    password: Type.String({ minLength: 1 }),
  },
  { additionalProperties: false },
);

export type MetadataCredentials = Type.Static<typeof metadataCredentialsSchema>;

export function readMetadataCredentials(home: Home): Promise<MetadataCredentials | undefined> {
  return readJsonFile(home.metadataCredentialsFile, metadataCredentialsSchema);
}

export async function writeMetadataCredentials(home: Home, credentials: MetadataCredentials): Promise<void> {
  await writeJsonFile<typeof metadataCredentialsSchema>(home.metadataCredentialsFile, credentials);
}

/** Shared by the manager and the agents of one installation; made when there is none yet. */
export function installationSecret(home: Home): Promise<string> {
  return readOrCreate(home.secretFile);
}

/** Encrypts credentials in the catalog; made when there is none yet. */
export function catalogKey(home: Home): Promise<string> {
  return readOrCreate(home.keyFile);
}

async function readOrCreate(path: string): Promise<string> {
  const existing = await readTextFile(path);
  if (existing === undefined) return create(path);
  const secret = existing.trim();
  if (secret.length < secretBytes) {
    throw new KlusterError(
      'configuration',
      `${path} holds ${String(secret.length)} characters; a secret has at least ${String(secretBytes)}`,
    );
  }
  return secret;
}

/** Manager and agent may start at the same moment: a link fails when the other was first, whose secret then counts. */
async function create(path: string): Promise<string> {
  const secret = randomBytes(secretBytes).toString('base64url');
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${secret}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
    return secret;
  } catch (error) {
    const winner = await readTextFile(path);
    if (winner === undefined) throw error;
    return winner.trim();
  } finally {
    await rm(temporary, { force: true });
  }
}
