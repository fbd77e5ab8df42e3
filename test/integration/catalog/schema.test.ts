import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { numberOf, textOf, type SqlRow } from '../../../src/catalog/sql.ts';
import type { SqlSession } from '../../../src/engines/sql.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';
import { publicSchema } from '../../support/public-schema.ts';

let server: MetadataServer;
let database: MetadataDatabase;
beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
});
afterAll(() => server?.stop());

const textCapacity: Readonly<Record<string, number>> = { text: 65_535, mediumtext: 16_777_215 };

/** Bytes or characters that a text type holds; undefined for other types. */
function capacity(type: string): number | undefined {
  const length = /^varchar\((\d+)\)$/.exec(type)?.[1];
  return length === undefined ? textCapacity[type] : Number(length);
}

/** Whether a client that knows the one type can work with the other. */
function serves(actual: string | undefined, known: string): boolean {
  const [has, needs] = [capacity(actual ?? ''), capacity(known)];
  return has === undefined || needs === undefined ? actual === known : has >= needs;
}

async function rows(text: string): Promise<readonly SqlRow[]> {
  return database.read((sql) => sql.rows(text, [], (row) => row));
}

describe('public schema', () => {
  it('has every table and column that clients know, with types that serve them', async () => {
    const columns = await rows(
      `SELECT TABLE_NAME AS t, COLUMN_NAME AS c, COLUMN_TYPE AS type FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = DATABASE()`,
    );
    const actual = new Map(
      columns.map((row) => [`${textOf(row, 't')}.${textOf(row, 'c')}`, textOf(row, 'type')]),
    );
    const wrong = Object.entries(publicSchema).flatMap(([table, known]) =>
      Object.entries(known)
        .filter(([column, type]) => !serves(actual.get(`${table}.${column}`), type))
        .map(
          ([column, type]) =>
            `${table}.${column} is ${String(actual.get(`${table}.${column}`))}, known as ${type}`,
        ),
    );
    expect(wrong).toEqual([]);
  });

  it('gives every table a primary key, which group replication needs', async () => {
    const without = await rows(
      `SELECT t.TABLE_NAME AS name FROM information_schema.TABLES AS t
        WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE' AND NOT EXISTS (
          SELECT 1 FROM information_schema.TABLE_CONSTRAINTS AS k
           WHERE k.TABLE_SCHEMA = t.TABLE_SCHEMA AND k.TABLE_NAME = t.TABLE_NAME AND k.CONSTRAINT_TYPE = 'PRIMARY KEY')`,
    );
    expect(without.map((row) => textOf(row, 'name'))).toEqual([]);
  });

  it('begins with the rows that clients count on', async () => {
    const [first] = await rows('SELECT name, value FROM global_configuration LIMIT 1');
    expect(first).toMatchObject({ name: 'meta_ha_mode', value: 'no_rep' });
    const [pseudo] = await rows('SELECT id, hostaddr FROM server_nodes');
    expect(pseudo).toMatchObject({ id: 1, hostaddr: 'pseudo_server_useless' });
  });
});

describe('append_ddl_log_entry', () => {
  const entry = (table: string, seen: number, initiator: number): string =>
    `CALL append_ddl_log_entry('${table}', 'db', 'public', 'role', 'user', 'public', 't1', 'table', 'create', ${String(seen)},
       'create table t1 (a int, b text default ''x'')', 'CREATE TABLE \`db_$$_public\`.t1 (a int)', 3, ${String(initiator)}, 77, @id)`;

  const append = async (
    session: SqlSession,
    table: string,
    seen: number,
    initiator: number,
  ): Promise<number> => {
    await session.query(entry(table, seen, initiator));
    const [row] = await session.rows('SELECT @id AS id');
    return row === undefined ? 0 : numberOf(row, 'id');
  };

  beforeAll(async () => {
    await database.define(async (session) => {
      await session.query('CREATE TABLE ddl_ops_log_c LIKE ddl_ops_log_template_table');
    });
  });

  it('appends for a session that holds the lock DDL and gives the new id', async () => {
    await database.administer(async (session) => {
      await session.query("DO GET_LOCK('DDL', 5)");
      expect(await append(session, 'ddl_ops_log_c', 0, 1)).toBe(1);
      expect(await append(session, 'ddl_ops_log_c', 1, 1)).toBe(2);
    });
    const [logged] = await rows('SELECT * FROM ddl_ops_log_c WHERE id = 1');
    expect(logged).toMatchObject({
      objname: 't1',
      db_name: 'db',
      optype: 'create',
      objtype: 'table',
      sql_src: "create table t1 (a int, b text default 'x')",
      target_shard_id: 3,
      initiator: 1,
      txn_id: 77,
    });
  });

  it('refuses without the lock, for another table, and when another node was faster', async () => {
    await database.administer(async (session) => {
      await expect(append(session, 'ddl_ops_log_c', 0, 1)).rejects.toThrow('does not hold the user lock');
      await session.query("DO GET_LOCK('DDL', 5)");
      await expect(append(session, 'db_clusters', 0, 1)).rejects.toThrow('not the name of a definition log');
      await expect(append(session, 'ddl_ops_log_c` (id) VALUES (9); -- ', 0, 1)).rejects.toThrow();
      const last = await append(session, 'ddl_ops_log_c', 0, 2);
      await expect(append(session, 'ddl_ops_log_c', last - 1, 1)).rejects.toThrow(
        'has changed this database since',
      );
      expect(await append(session, 'ddl_ops_log_c', last, 1)).toBe(last + 1);
    });
  });
});
