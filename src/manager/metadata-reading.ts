import { metadataDatabaseName } from '../catalog/database.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { quoteIdentifier, quoteText } from '../engines/mysql/quote.ts';
import { textOf } from '../engines/sql.ts';
import type { MetadataServer } from './metadata-server.ts';

/**
 * Consoles read the public tables with the limited account that meta_db_nodes names; the manager's private tables
 * (`kluster_…`) stay closed to it.
 */
export async function openMetadataReading(
  { at, management, monitor }: MetadataServer,
  signal: AbortSignal,
): Promise<void> {
  await withMysql({ ...at, ...management }, signal, async (session) => {
    const tables = await session.rows(
      String.raw`SELECT TABLE_NAME AS name FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = ? AND TABLE_NAME NOT LIKE 'kluster\_%' AND TABLE_NAME NOT IN
          (SELECT Table_name FROM mysql.tables_priv WHERE User = ? AND Db = ?)`,
      [metadataDatabaseName, monitor.user, metadataDatabaseName],
    );
    for (const table of tables) {
      const name = `${quoteIdentifier(metadataDatabaseName)}.${quoteIdentifier(textOf(table, 'name'))}`;
      await session.query(`GRANT SELECT ON ${name} TO ${quoteText(monitor.user)}@'%'`);
    }
  });
}
