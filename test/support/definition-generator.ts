import { Drawing } from './random-numbers.ts';

/** Names that engines treat differently: quotes, blanks, case, length, characters beyond the first plane. */
const names = [
  't',
  'T',
  '"T"',
  '"select"',
  '"a.b"',
  '"quo""ted"',
  '"`back`"',
  '" lead"',
  '"trail "',
  String.raw`"back\slash"`,
  '"100%s"',
  '"$$"',
  '"Grüße"',
  '"🎉"',
  `"${'n'.repeat(63)}"`,
  'x'.repeat(70),
  `"${'ü'.repeat(31)}"`,
] as const;

const columnNames = ['a', 'b', 'c', '"A"', '"order"', '"ö"', '"q""q"', '"`"', `"${'c'.repeat(63)}"`] as const;

/** With values that fit, and values that PostgreSQL refuses. */
const types: Readonly<Record<string, readonly string[]>> = {
  int: ['0', '-1', '2147483647', '-2147483648', '2147483648', `'x'`, 'NULL'],
  bigint: ['1', '9223372036854775807', '-9223372036854775808', '9223372036854775808'],
  smallint: ['32767', '-32768', '32768'],
  'numeric(10,2)': ['1.005', '99999999.99', '100000000', `'-0.00'`],
  'numeric(65,30)': ['0.000000000000000000000000000001', '12345678901234567890123456789012345.5'],
  'numeric(66,0)': ['1e65', '-7'],
  numeric: ['1e500', `'NaN'`, '0.1'],
  'double precision': ['1e308', '1e-310', '0.1', '-0.0', '1e309'],
  real: ['1e38', '0.1', '1e39'],
  boolean: ['true', `'off'`, `'maybe'`],
  text: [`''`, String.raw`E'\\'`, `'Ü🎉'`, `repeat('x', 70000)`, String.raw`E'a\nb\t''"'`],
  'varchar(3)': [`'abc'`, `'abc  '`, `'abcd'`, `'🎉🎉🎉'`],
  'char(4)': [`'a'`, `'abcd'`, `'abcde'`, `''`],
  bytea: [String.raw`'\x00ff00'`, `''`, `decode(repeat('00', 70000), 'hex')`, String.raw`'\xzz'`],
  uuid: [`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `'a0eebc99'`],
  date: [`'2024-02-29'`, `'2023-02-29'`, `'0001-01-01'`, `'9999-12-31'`],
  'timestamp(3)': [`'2024-02-29 12:00:00.0005'`, `'1970-01-01'`],
  timestamptz: [`'2024-03-31 02:30+02'`, `'nonsense'`],
  'time(0)': [`'23:59:59.4'`, `'24:00:00'`, `'25:00'`],
  interval: [`'1 year -2 days'`, `'x'`],
  jsonb: [String.raw`'{"a": [1, null, "\u00fc"]}'`, `'{'`, 'NULL'],
  'int[]': [`'{1,NULL,3}'`, `ARRAY[]::int[]`, `'{1,{2}}'`],
  'text[]': [String.raw`ARRAY['a"b', NULL, E'\\', ',', 'NULL']`],
  inet: [`'10.0.0.1/8'`, `'300.0.0.1'`],
  int4range: [`'[1,5)'`, `'empty'`, `'[5,1)'`],
  mood: [`'sad'`, `'happy'`, `'angry'`],
  positive: ['1', '-1'],
  no_such_type: ['1'],
  money: ['1'],
  'char(0)': [`''`],
  'numeric(5,6)': ['0.1'],
};

/** The others are refused, by PostgreSQL or by compute nodes. */
const usualTypes = Object.keys(types).indexOf('no_such_type');

interface Column {
  readonly name: string;
  readonly type: string;
}

/** What the generator believes to exist; it may be wrong, which is a case as well. */
interface Table {
  readonly name: string;
  columns: Column[];
}

/** Generates sequences of definitions and changes, of which many are wrong in one of the ways in which people are. */
export class DefinitionGenerator extends Drawing {
  private tables: Table[] = [];

  /** For a schema that is empty; types `mood` and `positive` are found. */
  sequence(length: number): readonly string[] {
    this.tables = [];
    return Array.from({ length }, (_, index) =>
      this.maybeBroken(index < 2 ? this.createTable() : this.any()),
    );
  }

  private any(): string {
    return this.pick([
      () => this.createTable(),
      () => this.createTable(),
      () => this.alterTable(),
      () => this.alterTable(),
      () => this.alterTable(),
      () => this.insert(),
      () => this.insert(),
      () => this.insert(),
      () => this.change(),
      () => this.query(),
      () => this.index(),
      () => this.other(),
      () => this.drop(),
    ])();
  }

  private createTable(): string {
    const name = this.pick(names);
    const columns = this.columns();
    const parts = columns.map((column) => `${column.name} ${column.type}${this.columnConstraint(column)}`);
    if (this.maybe(0.3)) parts.push(this.tableConstraint(columns));
    if (this.maybe(0.9)) this.tables.push({ name, columns });
    const model = this.table();
    return this.rarely(
      0.8,
      `CREATE TABLE ${this.maybe(0.1) ? 'IF NOT EXISTS ' : ''}${name} (${parts.join(', ')})`,
      `CREATE TABLE ${name} (LIKE ${model.name} INCLUDING ALL)`,
      `CREATE TABLE ${name} AS SELECT * FROM ${model.name}`,
      `CREATE TABLE ${name} (a int, b text) PARTITION BY ${this.pick(['LIST (a)', 'RANGE (b)', 'HASH (a)', 'LIST (z)'])}`,
      `CREATE TABLE ${name} PARTITION OF ${model.name} FOR VALUES IN (1, 2)`,
      `CREATE TABLE ${name} (${Array.from({ length: 300 }, (_, at) => `c${String(at)} text`).join(', ')})`,
      `CREATE TABLE ${name} ()`,
    );
  }

  /** Two of one name, now and then. */
  private columns(): Column[] {
    const made: Column[] = [];
    for (let count = 1 + Math.floor(this.random() * 4); count > 0; count -= 1) {
      const name = this.pick(columnNames);
      const usual = this.pick(Object.keys(types).slice(0, usualTypes));
      const type = this.maybe(0.1) ? this.pick(Object.keys(types)) : usual;
      if (this.maybe(0.05) || made.every((other) => other.name !== name)) made.push({ name, type });
    }
    return made;
  }

  private columnConstraint({ name, type }: Column): string {
    return this.rarely(
      0.6,
      '',
      ' PRIMARY KEY',
      ' UNIQUE',
      ' NOT NULL',
      ` DEFAULT ${this.constantOf(type)}`,
      ` CHECK (${name} IS NOT NULL)`,
      ` CHECK (${name} > 0)`,
      ' GENERATED ALWAYS AS IDENTITY',
      ' GENERATED ALWAYS AS (1 + 1) STORED',
      ' COLLATE "C"',
      ' NOT NULL NULL',
      ' CHECK (nobody > 0)',
    );
  }

  private tableConstraint(columns: readonly Column[]): string {
    const name = this.columnOf(columns);
    return this.pick([
      `PRIMARY KEY (${name})`,
      `PRIMARY KEY (${name}, ${this.columnOf(columns)})`,
      `UNIQUE (${name})`,
      `CONSTRAINT good CHECK (${name} IS NULL OR true)`,
      `CONSTRAINT bad CHECK (missing = 1)`,
    ]);
  }

  private alterTable(): string {
    const table = this.table();
    const column = this.column(table);
    const added = { name: this.pick(columnNames), type: this.pick(Object.keys(types)) };
    if (this.maybe(0.3)) table.columns.push(added);
    const what = this.pick([
      `ADD COLUMN ${added.name} ${added.type}`,
      `ADD COLUMN ${added.name} ${added.type} NOT NULL DEFAULT ${this.constantOf(added.type)}`,
      `ADD COLUMN IF NOT EXISTS ${added.name} ${added.type}`,
      `DROP COLUMN ${column.name}`,
      `DROP COLUMN IF EXISTS missing`,
      `DROP COLUMN ${column.name} CASCADE`,
      `RENAME COLUMN ${column.name} TO ${added.name}`,
      `RENAME TO ${this.pick(names)}`,
      `ALTER COLUMN ${column.name} SET NOT NULL`,
      `ALTER COLUMN ${column.name} DROP NOT NULL`,
      `ALTER COLUMN ${column.name} SET DEFAULT ${this.constantOf(column.type)}`,
      `ALTER COLUMN ${column.name} DROP DEFAULT`,
      `ALTER COLUMN ${column.name} TYPE ${added.type}`,
      `ADD CONSTRAINT extra CHECK (${column.name} IS NOT NULL)`,
      `ADD CONSTRAINT uq UNIQUE (${column.name})`,
      `ADD PRIMARY KEY (${column.name})`,
      `DROP CONSTRAINT ${this.pick(['extra', 'uq', 't_pkey', 'good'])}`,
      `RENAME CONSTRAINT extra TO "more"`,
      `ADD COLUMN x1 int, ADD COLUMN x2 text DEFAULT 'y', DROP COLUMN IF EXISTS ${column.name}`,
      `SET (fillfactor = 70)`,
    ]);
    return `ALTER TABLE ${this.maybe(0.05) ? 'IF EXISTS ' : ''}${table.name} ${what}`;
  }

  private insert(): string {
    const table = this.table();
    const columns = table.columns.slice(0, 1 + Math.floor(this.random() * table.columns.length));
    const row = () => `(${columns.map(({ type }) => this.constantOf(type)).join(', ')})`;
    const into = `INSERT INTO ${table.name} (${columns.map(({ name }) => name).join(', ')})`;
    return this.rarely(
      0.5,
      `${into} VALUES ${row()}`,
      `${into} VALUES ${row()}, ${row()}, ${row()}`,
      `${into} VALUES ${row()} ON CONFLICT DO NOTHING`,
      `${into} VALUES ${row()} RETURNING *`,
      `INSERT INTO ${table.name} SELECT * FROM ${table.name}`,
      `INSERT INTO ${table.name} DEFAULT VALUES`,
    );
  }

  private change(): string {
    const table = this.table();
    const column = this.column(table);
    return this.pick([
      `UPDATE ${table.name} SET ${column.name} = ${this.constantOf(column.type)}`,
      `UPDATE ${table.name} SET ${column.name} = NULL WHERE ${column.name} IS NOT NULL`,
      `UPDATE ${table.name} SET ${column.name} = ${column.name}, missing = 1`,
      `DELETE FROM ${table.name} WHERE ${column.name} = ${this.constantOf(column.type)}`,
      `DELETE FROM ${table.name}`,
      `TRUNCATE ${table.name}`,
    ]);
  }

  private query(): string {
    const table = this.table();
    const column = this.column(table);
    const nested = (depth: number, text: string): string => `${'('.repeat(depth)}${text}${')'.repeat(depth)}`;
    return this.pick([
      `SELECT * FROM ${table.name} WHERE ${column.name} = ${this.constantOf(column.type)}`,
      `SELECT count(*), min(${column.name}) FROM ${table.name}`,
      `SELECT * FROM ${table.name} WHERE ${nested(200, `${column.name} IS NULL`)}`,
      `SELECT * FROM ${table.name} WHERE ${Array.from({ length: 300 }, () => `${column.name} IS NULL`).join(' OR ')}`,
      `SELECT * FROM ${table.name} WHERE ${column.name}::text IN (${Array.from({ length: 3000 }, (_, at) => `'${String(at)}'`).join(', ')})`,
      `SELECT ${'CASE WHEN a IS NULL THEN 1 ELSE '.repeat(100)}2${' END'.repeat(100)} FROM ${table.name}`,
      `SELECT 1 / (count(*) - count(*)) FROM ${table.name}`,
      `SELECT ${column.name} || ${column.name} FROM ${table.name}`,
      `SELECT sum(${column.name}) FROM ${table.name} GROUP BY ${column.name}`,
      `SELECT l.* FROM ${table.name} l JOIN ${this.table().name} r USING (${column.name})`,
    ]);
  }

  private index(): string {
    const table = this.table();
    const column = this.column(table);
    return this.pick([
      `CREATE INDEX ix ON ${table.name} (${column.name})`,
      `CREATE UNIQUE INDEX IF NOT EXISTS ux ON ${table.name} (${column.name} DESC)`,
      `CREATE INDEX ON ${table.name} (${column.name}, missing)`,
      `CREATE INDEX ON ${table.name} (${column.name}, ${column.name})`,
      `DROP INDEX ${this.pick(['ix', 'ux', 'missing'])}`,
      `ALTER INDEX ix RENAME TO ${this.pick(['iy', 'ux'])}`,
      `COMMENT ON COLUMN ${table.name}.${column.name} IS 'it''s'`,
    ]);
  }

  private other(): string {
    const table = this.table();
    const column = this.column(table);
    return this.pick([
      `CREATE VIEW v AS SELECT * FROM ${table.name}`,
      `CREATE OR REPLACE VIEW v AS SELECT ${column.name} FROM ${table.name}`,
      `DROP VIEW v`,
      `SELECT * FROM v`,
      `CREATE SEQUENCE s OWNED BY ${table.name}.${column.name}`,
      `SELECT nextval('s')`,
      `CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM ${table.name} $$`,
      `SELECT f()`,
      `COMMENT ON TABLE ${table.name} IS 'Grüße'`,
      `GRANT SELECT ON ${table.name} TO ${this.pick(['PUBLIC', 'nobody_at_all'])}`,
      `ANALYZE ${table.name}`,
      `DO $$ BEGIN INSERT INTO ${table.name} DEFAULT VALUES; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$`,
      `DO $$ BEGIN CREATE TABLE inner_one (a int); RAISE EXCEPTION 'no'; END $$`,
      `COMMENT ON TABLE missing IS NULL`,
      `ALTER TABLE missing ADD COLUMN a int`,
    ]);
  }

  private drop(): string {
    const table = this.table();
    return this.pick([
      `DROP TABLE ${table.name}`,
      `DROP TABLE ${table.name} CASCADE`,
      `DROP TABLE IF EXISTS ${table.name}, missing`,
      `DROP TABLE missing`,
      `DROP VIEW ${table.name}`,
      `DROP INDEX ${table.name}`,
      `DROP SEQUENCE ${table.name}`,
    ]);
  }

  /** A statement in thirty loses or repeats a word. */
  private maybeBroken(statement: string): string {
    if (!this.maybe(1 / 30)) return statement;
    const words = statement.split(' ');
    const at = Math.floor(this.random() * words.length);
    words.splice(at, this.maybe(0.5) ? 1 : 0, ...(this.maybe(0.5) ? [words[at] ?? ''] : []));
    return words.join(' ');
  }

  private table(): Table {
    const found = this.tables[Math.floor(this.random() * this.tables.length)];
    return found ?? { name: 'missing', columns: [{ name: 'a', type: 'int' }] };
  }

  private column(table: Table): Column {
    return this.pick(table.columns);
  }

  private columnOf(columns: readonly Column[]): string {
    return this.pick(columns).name;
  }

  private constantOf(type: string): string {
    // A value of another type, now and then.
    return this.pick(types[this.maybe(0.05) ? this.pick(Object.keys(types)) : type] ?? ['1']);
  }

  /** The usual one with that probability, else one of the others. */
  private rarely(probability: number, usual: string, ...others: readonly string[]): string {
    return this.maybe(probability) ? usual : this.pick(others);
  }
}
