import { Drawing } from './random-numbers.ts';
import type { Statement } from './two-servers.ts';

/** The tables that generated queries are about; `WITH (shard = n)` is taken away for plain PostgreSQL. */
export const generatedTables = [
  `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`,
  `CREATE TABLE one (id int PRIMARY KEY, i2 smallint, i4 int, i8 bigint, n numeric(10,2), f double precision, b boolean,
     t text, v varchar(12), c char(4), d date, ts timestamp, tz timestamptz, u uuid, y bytea, e mood, jb jsonb, a int[])
     WITH (shard = 1)`,
  `CREATE TABLE two (k text, s int, i4 int NOT NULL, i8 bigint, n numeric(10,2), t text, d date, b boolean,
     PRIMARY KEY (k, s)) WITH (shard = 1)`,
  `CREATE TABLE three (i4 int, i8 bigint, t text, n numeric(10,2), d date) WITH (shard = 2)`,
] as const;

type Kind =
  | 'int'
  | 'big'
  | 'num'
  | 'float'
  | 'bool'
  | 'text'
  | 'char'
  | 'date'
  | 'ts'
  | 'tz'
  | 'uuid'
  | 'bytes'
  | 'enum';

interface Column {
  readonly name: string;
  readonly kind: Kind;
}

const columns: Readonly<Record<string, readonly Column[]>> = {
  one: [
    { name: 'id', kind: 'int' },
    { name: 'i2', kind: 'int' },
    { name: 'i4', kind: 'int' },
    { name: 'i8', kind: 'big' },
    { name: 'n', kind: 'num' },
    { name: 'f', kind: 'float' },
    { name: 'b', kind: 'bool' },
    { name: 't', kind: 'text' },
    { name: 'v', kind: 'text' },
    { name: 'c', kind: 'char' },
    { name: 'd', kind: 'date' },
    { name: 'ts', kind: 'ts' },
    { name: 'tz', kind: 'tz' },
    { name: 'u', kind: 'uuid' },
    { name: 'y', kind: 'bytes' },
    { name: 'e', kind: 'enum' },
  ],
  two: [
    { name: 'k', kind: 'text' },
    { name: 's', kind: 'int' },
    { name: 'i4', kind: 'int' },
    { name: 'i8', kind: 'big' },
    { name: 'n', kind: 'num' },
    { name: 't', kind: 'text' },
    { name: 'd', kind: 'date' },
    { name: 'b', kind: 'bool' },
  ],
  three: [
    { name: 'i4', kind: 'int' },
    { name: 'i8', kind: 'big' },
    { name: 't', kind: 'text' },
    { name: 'n', kind: 'num' },
    { name: 'd', kind: 'date' },
  ],
};

/** Few values of each kind, so that conditions find something; and those that engines treat differently. */
const constants: Readonly<Record<Kind, readonly string[]>> = {
  int: ['0', '1', '-1', '2', '3', '7', '10', '-5', '100'],
  big: ['0', '1', '-1', '3', '9223372036854775807', '-9223372036854775808', '42'],
  num: ['0', '1.5', '-1.50', '99.99', '0.01', '1', '0.005', '12345678.90'],
  float: ['0', '1.5', '-1.5', '0.1', '1e300', '1e-300', '3'],
  bool: ['true', 'false'],
  text: [
    `''`,
    `'a'`,
    `'A'`,
    `'b'`,
    `'a '`,
    `'ab'`,
    `'ä'`,
    `'z%'`,
    `'_x'`,
    `'O''x'`,
    String.raw`'\'`,
    `'aa'`,
    `'🎉'`,
    `'10'`,
    `'9'`,
  ],
  char: [`'a'`, `'a  '`, `'A'`, `'ab'`, `''`, `'abcd'`],
  date: [`'2024-02-29'`, `'1999-12-31'`, `'0001-01-01'`, `'9999-12-31'`, `'2024-03-01'`],
  ts: [`'2024-02-29 23:59:59.999999'`, `'1970-01-01'`, `'2024-03-31 02:30'`, `'0001-01-01'`],
  tz: [`'2024-03-31 02:30+02'`, `'2024-03-31 00:30+00'`, `'1970-01-01 00:00+00'`, `'2024-10-27 02:30+01'`],
  uuid: [
    `'00000000-0000-0000-0000-000000000000'`,
    `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`,
    `'ffffffff-ffff-ffff-ffff-ffffffffffff'`,
  ],
  bytes: [String.raw`'\x'`, String.raw`'\x00'`, String.raw`'\x5c27ff'`, String.raw`'\x0001'`],
  enum: [`'sad'`, `'ok'`, `'happy'`],
};

const patterns = [
  `'a%'`,
  `'%a'`,
  `'_'`,
  `'%'`,
  `'A_'`,
  String.raw`'z\%'`,
  String.raw`'\_x'`,
  `'%''%'`,
  `''`,
  `'__'`,
  `'%🎉%'`,
];
const comparisons = ['=', '<>', '<', '<=', '>', '>='] as const;
const truthTests = ['IS TRUE', 'IS NOT TRUE', 'IS FALSE', 'IS UNKNOWN', 'IS NOT NULL'] as const;

/** Generates statements that PostgreSQL answers in one way only. */
export class QueryGenerator extends Drawing {
  /** Rows for a table; the same for both servers. */
  rows(table: 'one' | 'two' | 'three', count: number): string {
    const all = Array.from({ length: count }, (_, index) => this.row(table, index));
    const names = this.columnsOf(table).map(({ name }) => name);
    const extra = table === 'one' ? [...names, 'jb', 'a'] : names;
    return `INSERT INTO ${table} (${extra.join(', ')}) VALUES ${all.join(', ')}`;
  }

  /** Any statement that reads. */
  query(): Statement {
    return this.pick([
      () => this.plain(),
      () => this.plain(),
      () => this.sorted(),
      () => this.grouped(),
      () => this.joined(),
      () => this.joined(),
      () => this.nested(),
      () => this.combined(),
    ])();
  }

  /** A statement that changes rows. */
  change(): Statement {
    const table = this.pick(['one', 'two', 'three'] as const);
    const where = this.maybe(0.85) ? ` WHERE ${this.condition(table, '', 2)}` : '';
    const returning = this.maybe(0.3) ? ' RETURNING *' : '';
    if (table === 'one' && this.maybe(0.5)) return { text: `${this.readsItself(where)}${returning}` };
    if (this.maybe(0.3)) return { text: `DELETE FROM ${table}${where}${returning}` };
    return { text: `UPDATE ${table} SET ${this.assignments(table)}${where}${returning}` };
  }

  /** A change of table `one` that reads what it changes. */
  private readsItself(where: string): string {
    const offset = this.pick(['0', '1', '60', '500']);
    const other = this.pick(['o.n < one.n', 'o.id = one.id + 1', 'o.t = one.t', 'o.i4 % 5 = one.i4 % 5']);
    return this.pick([
      `INSERT INTO one (id, i4, t, n) SELECT id + ${offset}, i4, t, n FROM one${where} ON CONFLICT (id) DO UPDATE
         SET i4 = COALESCE(one.i4, 0) % 1000 + excluded.id, t = excluded.t, n = excluded.n WHERE one.i4 IS DISTINCT FROM excluded.i4`,
      `UPDATE one SET i4 = (SELECT count(*) FROM one o WHERE ${other}), n = (SELECT max(o.n) FROM one o WHERE ${other})${where}`,
      `DELETE FROM one${where === '' ? ' WHERE' : `${where} AND`} (SELECT count(*) FROM one o WHERE ${other}) % 2 = 1`,
    ]);
  }

  private row(table: string, index: number): string {
    const values = this.columnsOf(table).map(({ name, kind }) => {
      if (name === 'id') return String(index);
      if (name === 'k') return this.constant('text');
      if (name === 's') return String(index);
      if (name !== 'i4' && this.maybe(0.2)) return 'NULL';
      return this.constant(kind);
    });
    const extra =
      table === 'one' ? [this.pick([`'{"a": [1, 2.50]}'`, 'NULL']), this.pick([`'{1,NULL,3}'`, `'{}'`])] : [];
    return `(${[...values, ...extra].join(', ')})`;
  }

  private plain(): Statement {
    const table = this.pick(['one', 'two', 'three'] as const);
    const what = this.maybe(0.3) ? '*' : this.outputs(table);
    return { text: `SELECT ${what} FROM ${table} WHERE ${this.condition(table, '', 3)}` };
  }

  private sorted(): Statement {
    const table = this.pick(['one', 'two'] as const);
    const key = table === 'one' ? 'id' : 'k, s';
    const first = this.pick(this.columnsOf(table));
    const direction = this.pick(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST']);
    const limit = this.maybe(0.7) ? ` LIMIT ${this.pick(['0', '1', '5', '20'])}` : '';
    const offset = this.maybe(0.3) ? ` OFFSET ${this.pick(['0', '2', '50'])}` : '';
    const where = this.maybe(0.5) ? ` WHERE ${this.condition(table, '', 1)}` : '';
    return {
      text: `SELECT ${key}, ${first.name} FROM ${table}${where} ORDER BY ${first.name}${direction}, ${key}${limit}${offset}`,
      ordered: true,
    };
  }

  private grouped(): Statement {
    const table = this.pick(['one', 'two', 'three'] as const);
    const all = this.columnsOf(table);
    const by = this.pick(all.filter(({ kind }) => kind !== 'float'));
    const number = this.pick(all.filter(({ kind }) => kind === 'int' || kind === 'big' || kind === 'num'));
    const ordered = this.pick(
      all.filter(({ kind }) => ['int', 'big', 'num', 'text', 'date', 'ts', 'tz'].includes(kind)),
    );
    const aggregates = [
      'count(*)',
      `count(${this.pick(all).name})`,
      `count(DISTINCT ${by.name})`,
      `sum(${number.name})`,
      `avg(${number.name})`,
      `min(${ordered.name})`,
      `max(${ordered.name})`,
    ].filter(() => this.maybe(0.5));
    const chosen = aggregates.length === 0 ? ['count(*)'] : aggregates;
    const where = this.maybe(0.5) ? ` WHERE ${this.condition(table, '', 1)}` : '';
    if (this.maybe(0.3)) return { text: `SELECT ${chosen.join(', ')} FROM ${table}${where}` };
    const having = this.maybe(0.3) ? ' HAVING count(*) > 1' : '';
    return {
      text: `SELECT ${by.name}, ${chosen.join(', ')} FROM ${table}${where} GROUP BY ${by.name}${having}`,
    };
  }

  private joined(): Statement {
    const [left, right] = this.pick([
      ['one', 'two'],
      ['two', 'one'],
      ['one', 'three'],
      ['three', 'two'],
      ['two', 'two'],
    ] as const);
    const kind = this.pick(['JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN']);
    const shared = this.pick(['i4', 'i8', 'n', 't', 'd']);
    // Joins that are not equalities are no FULL JOINs for PostgreSQL.
    const more = kind !== 'FULL JOIN' && this.maybe(0.4) ? ` AND ${this.condition(right, 'r.', 1)}` : '';
    const where = this.maybe(0.5) ? ` WHERE ${this.condition(left, 'l.', 1)}` : '';
    const what = `${this.outputs(left, 'l.')}, ${this.outputs(right, 'r.')}`;
    return {
      text: `SELECT ${what} FROM ${left} l ${kind} ${right} r ON l.${shared} = r.${shared}${more}${where}`,
    };
  }

  private nested(): Statement {
    const shared = this.pick(['i4', 't', 'n', 'd']);
    const inner = this.condition('two', 'r.', 1);
    const test = this.pick([
      `${this.pick(['', 'NOT '])}EXISTS (SELECT 1 FROM two r WHERE r.${shared} = l.${shared} AND ${inner})`,
      `l.${shared} ${this.pick(['', 'NOT '])}IN (SELECT r.${shared} FROM two r WHERE ${inner})`,
      `l.i4 > (SELECT min(r.i4) FROM three r)`,
      `(l.i4, l.i8) IN (SELECT r.i4, r.i8 FROM two r)`,
    ]);
    return { text: `SELECT l.id, l.${shared} FROM one l WHERE ${test}` };
  }

  private combined(): Statement {
    const column = this.pick(['i4', 't', 'n', 'd', 'i8']);
    return this.pick<Statement>([
      {
        text: `SELECT ${column} FROM one ${this.pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} SELECT ${column} FROM three`,
      },
      { text: `SELECT DISTINCT ${column} FROM two WHERE ${this.condition('two', '', 1)}` },
      {
        text: `SELECT id, row_number() OVER (PARTITION BY i4 ORDER BY id), sum(i8::numeric) OVER (ORDER BY id) FROM one WHERE ${this.condition('one', '', 1)}`,
      },
      {
        text: `WITH w AS (SELECT ${column}, count(*) c FROM two GROUP BY 1) SELECT l.id, w.c FROM one l JOIN w USING (${column})`,
      },
      {
        text: `SELECT l.id, x.m FROM one l, LATERAL (SELECT max(r.s) m FROM two r WHERE r.${column} = l.${column}) x`,
      },
    ]);
  }

  private outputs(table: string, prefix = ''): string {
    const all = this.columnsOf(table);
    return [this.pick(all), this.pick(all), this.pick(all)].map(({ name }) => `${prefix}${name}`).join(', ');
  }

  private assignments(table: string): string {
    const free = this.columnsOf(table).filter(({ name }) => !['id', 'k', 's'].includes(name));
    const first = this.pick(free);
    const second = this.pick(free.filter(({ name }) => name !== first.name));
    return [first, second]
      .filter((_, index) => index === 0 || this.maybe(0.4))
      .map(({ name, kind }) => `${name} = ${this.assigned(name, kind, first.name)}`)
      .join(', ');
  }

  private assigned(name: string, kind: Kind, other: string): string {
    if (kind === 'int' && name === 'i4') return this.pick(['i4 + 1', '1 - i4', '7', 'i4']);
    if (kind === 'big') return this.pick(['i8 - 1', '3', 'NULL', other === 'i4' ? 'i4' : '5']);
    if (kind === 'num') return this.pick(['n + 1.005', 'n - 0.5', 'n * 2', '7.777', 'NULL']);
    if (kind === 'text' && name === 't') return this.pick([`t || 'x'`, 'upper(t)', this.constant('text')]);
    if (name === 'v') return this.constant('text');
    return this.constant(kind);
  }

  private condition(table: string, prefix: string, depth: number): string {
    if (depth > 0 && this.maybe(0.45)) {
      const [left, right] = [
        this.condition(table, prefix, depth - 1),
        this.condition(table, prefix, depth - 1),
      ];
      return this.pick([`(${left} AND ${right})`, `(${left} OR ${right})`, `NOT (${left})`]);
    }
    const { name, kind } = this.pick(this.columnsOf(table));
    return this.comparison(`${prefix}${name}`, kind, table, prefix);
  }

  private comparison(column: string, kind: Kind, table: string, prefix: string): string {
    const same = this.pick(this.columnsOf(table).filter((other) => other.kind === kind));
    const constant = (): string => this.constant(kind);
    const general = [
      () => `${column} ${this.pick(comparisons)} ${constant()}`,
      () => `${column} ${this.pick(comparisons)} ${prefix}${same.name}`,
      () => `${column} IS ${this.pick(['', 'NOT '])}NULL`,
      () => `${column} IS ${this.pick(['', 'NOT '])}DISTINCT FROM ${constant()}`,
      () => `${column} ${this.pick(['IN', 'NOT IN'])} (${constant()}, ${this.pick([constant(), 'NULL'])})`,
      () => `${column} BETWEEN ${constant()} AND ${constant()}`,
      () => `coalesce(${column}, ${constant()}) = ${constant()}`,
      () => `CASE WHEN ${column} = ${constant()} THEN 1 ELSE 2 END = 1`,
    ];
    return this.pick([...general, ...this.special(column, kind)])();
  }

  private special(column: string, kind: Kind): readonly (() => string)[] {
    const ofKind: Partial<Record<Kind, readonly (() => string)[]>> = {
      int: [
        () => `${column} % 3 = ${this.pick(['0', '1', '-1'])}`,
        () => `${column} / 2 = ${this.pick(['0', '-2', '1'])}`,
        () => `${column}::numeric = ${this.constant('num')}`,
        () => `${column} = ANY ('{1,2,NULL}')`,
        () => `${column} + 1 > 3`,
      ],
      text: [
        () => `${column} ${this.pick(['LIKE', 'NOT LIKE'])} ${this.pick(patterns)}`,
        () => `${column} ILIKE 'a%'`,
        () => `length(${column}) = ${this.pick(['0', '1', '2'])}`,
        () => `lower(${column}) = 'a'`,
        () => `octet_length(${column}) > 1`,
      ],
      bool: [() => column, () => `${column} ${this.pick(truthTests)}`],
      date: [() => `${column} < 'infinity'`, () => `extract(year FROM ${column}) = 2024`],
      tz: [() => `${column} > '-infinity'`, () => `${column}::date = '2024-03-31'`],
    };
    return ofKind[kind] ?? [];
  }

  private columnsOf(table: string): readonly Column[] {
    const found = columns[table];
    if (found === undefined) throw new Error(`no table ${table}`);
    return found;
  }

  private constant(kind: Kind): string {
    return this.pick(constants[kind]);
  }
}
