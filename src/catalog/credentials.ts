import type { ClusterId } from '../core/ids.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { seal, unseal } from '../core/seal.ts';
import type { MetadataDatabase } from './database.ts';
import { textOf, type Sql, type SqlRow } from './sql.ts';

export interface Credential {
  readonly user: string;
  readonly password: string;
}

/** What the accounts of one cluster are filed under. */
export const clusterScope = (id: ClusterId): string => `cluster:${String(id)}`;

/**
 * Accounts of the engines, their passwords sealed with the key of the installation: who reads the metadata database
 * without that key learns no password.
 */
export class Credentials {
  private readonly database: MetadataDatabase;
  private readonly key: string;

  constructor(database: MetadataDatabase, key: string) {
    this.database = database;
    this.key = key;
  }

  /** Replaces an account of the same purpose. */
  async put(sql: Sql, scope: string, purpose: string, credential: Credential): Promise<void> {
    await sql.execute(
      `INSERT INTO kluster_credentials (scope, purpose, user_name, sealed_password) VALUES (?, ?, ?, ?) AS given
       ON DUPLICATE KEY UPDATE user_name = given.user_name, sealed_password = given.sealed_password`,
      [scope, purpose, credential.user, this.sealed(credential)],
    );
  }

  /** Stores what the scope does not have yet: a repeated step keeps the passwords of its first run. */
  putMissing(
    scope: string,
    accounts: Readonly<Record<string, Credential>>,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.database.write(async (sql) => {
      for (const [purpose, credential] of Object.entries(accounts)) {
        await sql.execute(
          `INSERT INTO kluster_credentials (scope, purpose, user_name, sealed_password) VALUES (?, ?, ?, ?) AS given
           ON DUPLICATE KEY UPDATE user_name = kluster_credentials.user_name`,
          [scope, purpose, credential.user, this.sealed(credential)],
        );
      }
    }, signal);
  }

  /** @throws KlusterError metadata when the password was sealed with another key */
  async find(sql: Sql, scope: string, purpose: string): Promise<Credential | undefined> {
    return (await this.list(sql, scope)).get(purpose);
  }

  /** Every account of a scope by its purpose. */
  async list(sql: Sql, scope: string): Promise<ReadonlyMap<string, Credential>> {
    return (await this.listScopes(sql, [scope]))(scope);
  }

  /** Of several scopes, opened when they are asked for, so that one that cannot be opened does not hide the others. */
  async listScopes(
    sql: Sql,
    scopes: readonly string[],
  ): Promise<(scope: string) => ReadonlyMap<string, Credential>> {
    const rows = await sql.rows(
      `SELECT scope, purpose, user_name, sealed_password FROM kluster_credentials WHERE scope IN (
         SELECT given.scope FROM JSON_TABLE(?, '$[*]' COLUMNS (
           scope VARCHAR(64) CHARACTER SET ascii PATH '$')) AS given)`,
      [JSON.stringify(scopes)],
      (row) => row,
    );
    return (scope) => {
      const own = rows.filter((row) => textOf(row, 'scope') === scope);
      return new Map(own.map((row) => [textOf(row, 'purpose'), this.opened(row)]));
    };
  }

  /** `list` in a transaction of its own. */
  read(scope: string, signal?: AbortSignal): Promise<ReadonlyMap<string, Credential>> {
    return this.database.read((sql) => this.list(sql, scope), signal);
  }

  async removeScope(sql: Sql, scope: string): Promise<void> {
    await sql.execute('DELETE FROM kluster_credentials WHERE scope = ?', [scope]);
  }

  private sealed(credential: Credential): string {
    return seal(this.key, 'catalog-credentials', credential.password);
  }

  private opened(row: SqlRow): Credential {
    const user = textOf(row, 'user_name');
    try {
      return { user, password: unseal(this.key, 'catalog-credentials', textOf(row, 'sealed_password')) };
    } catch (error) {
      throw new KlusterError(
        'metadata',
        `the password of ${user} (${textOf(row, 'scope')}, ${textOf(row, 'purpose')}) cannot be opened with the ` +
          'key file of this manager: it was sealed with another one',
        { cause: error },
      );
    }
  }
}
