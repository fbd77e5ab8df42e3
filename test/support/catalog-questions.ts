const tables = `'item', 'part', 'part_low', 'cheap', 'note'`;

/**
 * What tools ask, in our own words but with their conditions: which relkinds, which joins. Object ids are left out, because they
 * differ from server to server.
 */
export const catalogQuestions: Readonly<Record<string, readonly string[]>> = {
  'JDBC getTables: tables and views by kind': [
    `SELECT n.nspname, c.relname,
            CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
              WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'PARTITIONED INDEX' WHEN 'S' THEN 'SEQUENCE' END AS type, d.description
       FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
       LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass)
      WHERE c.relnamespace = n.oid AND n.nspname = 'public'
        AND (false OR (c.relkind = 'r' AND n.nspname !~ '^pg_') OR (c.relkind IN ('v', 'p', 'i', 'S')))`,
  ],
  'JDBC getColumns': [
    `SELECT * FROM (SELECT n.nspname, c.relname, a.attname, a.atttypid::regtype::text, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS nn,
              a.atttypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity,
              pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc
         FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid)
         JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid)
         LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum)
        WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = 'public') c`,
  ],
  'JDBC getPrimaryKeys, getIndexInfo, getImportedKeys': [
    `SELECT ct.relname, a.attname, (information_schema._pg_expandarray(i.indkey)).n, ci.relname
       FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid)
       JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid)
       JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
      WHERE i.indisprimary AND a.attnum = ANY (i.indkey) AND ct.relname IN ('item', 'part')`,
    `SELECT t.relname, NOT i.indisunique AS non_unique, ci.relname, am.amname, (information_schema._pg_expandarray(i.indkey)).n,
            pg_catalog.pg_get_indexdef(ci.oid, 1, false), i.indisclustered
       FROM pg_catalog.pg_class t JOIN pg_catalog.pg_index i ON (t.oid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid)
       JOIN pg_catalog.pg_am am ON (ci.relam = am.oid) WHERE t.relname IN (${tables})`,
    `SELECT con.conname, pkc.relname, fkc.relname, con.confupdtype, con.confdeltype, con.condeferrable, pkic.relname
       FROM pg_catalog.pg_class pkc, pg_catalog.pg_class fkc, pg_catalog.pg_constraint con, pg_catalog.pg_depend dep, pg_catalog.pg_class pkic
      WHERE con.confrelid = pkc.oid AND con.conrelid = fkc.oid AND con.contype = 'f' AND con.oid = dep.objid AND pkic.oid = dep.refobjid
        AND pkic.relkind IN ('i', 'I') AND dep.classid = 'pg_constraint'::regclass AND dep.refclassid = 'pg_class'::regclass
        AND pkc.relname IN (${tables})`,
  ],
  information_schema: [
    `SELECT table_name, table_type, is_insertable_into, is_typed FROM information_schema.tables WHERE table_schema = 'public'`,
    `SELECT table_name, column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length,
            numeric_precision, is_identity, is_updatable FROM information_schema.columns WHERE table_schema = 'public'`,
    `SELECT constraint_name, table_name, constraint_type FROM information_schema.table_constraints
      WHERE table_schema = 'public' AND constraint_name !~ 'not_null'`,
    `SELECT constraint_name, table_name, column_name, ordinal_position FROM information_schema.key_column_usage WHERE table_schema = 'public'`,
    `SELECT table_name, column_name, constraint_name FROM information_schema.constraint_column_usage WHERE table_schema = 'public'`,
    `SELECT constraint_name, unique_constraint_name, match_option, update_rule, delete_rule FROM information_schema.referential_constraints
      WHERE constraint_schema = 'public'`,
  ],
  'SQLAlchemy, Prisma, Rails: tables are of kind r or p': [
    `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = ANY (ARRAY['r', 'p']) AND c.relpersistence <> 't' AND pg_catalog.pg_table_is_visible(c.oid) AND n.nspname <> 'pg_catalog'
        AND n.nspname NOT IN ('information_schema', 'kluster')`,
    `SELECT c.relname, conname, contype, pg_get_constraintdef(k.oid, true) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
      WHERE c.relkind IN ('r', 'p') AND c.relname IN (${tables}) AND k.contype <> 'n'`,
    `SELECT i.relname, ix.indisunique, ix.indisprimary, array_agg(a.attname ORDER BY a.attnum)::text
       FROM pg_class t JOIN pg_index ix ON t.oid = ix.indrelid JOIN pg_class i ON i.oid = ix.indexrelid
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (ix.indkey)
      WHERE t.relkind IN ('r', 'p') AND t.relname IN (${tables}) GROUP BY 1, 2, 3`,
  ],
  'Django, Flyway, TypeORM': [
    `SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END
       FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema', 'kluster')`,
    `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relname = 'item' AND c.relkind = 'r')`,
    `SELECT tablename, hasindexes, hastriggers FROM pg_tables WHERE schemaname = 'public'`,
    `SELECT own.attname, target.relname, other.attname FROM pg_constraint k JOIN pg_class source ON source.oid = k.conrelid
       LEFT JOIN pg_class target ON target.oid = k.confrelid
       LEFT JOIN pg_attribute own ON own.attrelid = source.oid AND own.attnum = k.conkey[1]
       LEFT JOIN pg_attribute other ON other.attrelid = target.oid AND other.attnum = k.confkey[1]
      WHERE source.relname = 'note' AND k.contype = 'f' AND pg_catalog.pg_table_is_visible(source.oid)`,
    `SELECT k.conname, k.contype, (SELECT string_agg(a.attname, ',' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY AS u(number, n)
              JOIN pg_attribute a ON (a.attrelid, a.attnum) = (k.conrelid, u.number)),
            (SELECT target.relname || '.' || a.attname FROM pg_class target JOIN pg_attribute a ON a.attrelid = target.oid
              WHERE (target.oid, a.attnum) = (k.confrelid, k.confkey[1]))
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relname = 'note'`,
  ],
};
