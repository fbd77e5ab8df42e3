import type { ClusterId } from '../core/ids.ts';
import { generatePassword } from '../core/seal.ts';
import { quoteAccount, quoteIdentifier, quoteText } from '../engines/mysql/quote.ts';
import { commitLogTable, definitionLogTable } from './cluster-logs.ts';
import type { Credential } from './credentials.ts';
import type { MetadataDatabase } from './database.ts';

/** What the account is filed under in the credentials of its cluster. */
export const metadataPurpose = 'metadata';

/** Bookkeeping of definitions and of sequences: compute nodes of all clusters share these tables. */
const definitionTables = ['kluster_ddl_intents', 'kluster_ddl_progress', 'kluster_shared_sequences'];

const anyHost = '%';

/** Of the compute nodes of one cluster; the name tells an administrator whose it is. */
const metadataUser = (cluster: ClusterId): string => `kluster_compute_${String(cluster)}`;

/** With which the compute nodes of the cluster log in to the metadata server. */
export function newMetadataAccount(cluster: ClusterId): Credential {
  return { user: metadataUser(cluster), password: generatePassword() };
}

/**
 * The accounts with which compute nodes log in to the metadata server: each may write the logs of its own cluster, and
 * see nothing else. MySQL commits what is done here by itself, so every method bears repetition.
 */
export class ComputeAccess {
  private readonly database: MetadataDatabase;

  constructor(database: MetadataDatabase) {
    this.database = database;
  }

  /** Makes the account, or sets its password. The logs of the cluster must be there. */
  allow(clusterName: string, { user, password }: Credential, signal?: AbortSignal): Promise<void> {
    const account = quoteAccount(user, anyHost);
    const schema = quoteIdentifier(this.database.name);
    const on = (table: string): string => `${schema}.${quoteIdentifier(table)}`;
    return this.database.define(async (session) => {
      await session.query(`CREATE USER IF NOT EXISTS ${account}`);
      await session.query(
        `ALTER USER ${account} IDENTIFIED WITH caching_sha2_password BY ${quoteText(password)}`,
      );
      for (const table of [commitLogTable(clusterName), definitionLogTable(clusterName)]) {
        await session.query(`GRANT SELECT, INSERT ON ${on(table)} TO ${account}`);
      }
      for (const table of definitionTables) {
        await session.query(`GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON ${on(table)} TO ${account}`);
      }
      await session.query(`GRANT EXECUTE ON PROCEDURE ${on('append_ddl_log_entry')} TO ${account}`);
    }, signal);
  }

  drop(cluster: ClusterId, signal?: AbortSignal): Promise<void> {
    return this.database.define(async (session) => {
      await session.query(`DROP USER IF EXISTS ${quoteAccount(metadataUser(cluster), anyHost)}`);
    }, signal);
  }
}
