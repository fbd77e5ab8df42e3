import { createReadStream } from 'node:fs';
import { median } from '../support/statistics.ts';
import { computeTable, type Subjects } from './subjects.ts';

export interface Sizes {
  readonly bulkRows: number;
  /** mysql_fdw sends row by row: as many as can be waited for. */
  readonly slowRows: number;
  readonly operations: number;
  readonly file: string;
}

/** Operations or rows per second, by subject. */
export type Rates = Readonly<Record<string, number>>;

async function rateOf(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1000;
}

const slice = 25;

/**
 * Operations per second of each subject, by the median of their times. They take turns after a few operations: what else
 * the machine does comes in bursts.
 */
async function interleaved(
  count: number,
  operations: Readonly<Record<string, (id: number) => Promise<unknown>>>,
): Promise<Rates> {
  const times = new Map(Object.keys(operations).map((subject) => [subject, [] as number[]]));
  for (let done = 0; done < count; done += slice) {
    for (const [subject, operation] of Object.entries(operations)) {
      for (let number = done; number < Math.min(count, done + slice); number += 1) {
        const start = performance.now();
        await operation((number * 7919) % 1000);
        times.get(subject)?.push(performance.now() - start);
      }
    }
  }
  return Object.fromEntries([...times].map(([subject, all]) => [subject, 1000 / median(all)]));
}

const readText = 'SELECT v FROM bench WHERE id = $1';

/** One row by its key: what an application's driver sees, with prepared statements. */
export async function singleReads(
  { compute, plain, mysql }: Subjects,
  { operations }: Sizes,
): Promise<Rates> {
  return interleaved(operations, {
    mysql: (id) => mysql.execute('SELECT v FROM bench WHERE id = ?', [id]),
    compute: (id) => compute.query({ name: 'read', text: readText, values: [id] }),
    mysql_fdw: (id) => plain.query(`SELECT v FROM fdw WHERE id = ${String(id)}`),
    postgres: (id) => plain.query({ name: 'read', text: readText, values: [id] }),
  });
}

const writeText = 'UPDATE bench SET n = n + 1 WHERE id = $1';

export async function singleWrites(
  { compute, plain, mysql }: Subjects,
  { operations }: Sizes,
): Promise<Rates> {
  return interleaved(operations, {
    mysql: (id) => mysql.execute('UPDATE bench SET n = n + 1 WHERE id = ?', [id]),
    compute: (id) => compute.query({ name: 'write', text: writeText, values: [id] }),
    mysql_fdw: (id) => plain.query(`UPDATE fdw SET n = n + 1 WHERE id = ${String(id)}`),
    postgres: (id) => plain.query({ name: 'write', text: writeText, values: [id] }),
  });
}

const insertSelect = (table: string, rows: number): string =>
  `INSERT INTO ${table} SELECT i, i % 1000, 'value of row ' || i FROM generate_series(1, ${String(rows)}) i`;

/**
 * Everything in MySQL in the same way: a compute node's own TRUNCATE deletes the rows in a transaction, and the shard
 * would go on clearing up after it while the next measure runs.
 */
async function emptyTables({ plain, mysql }: Subjects): Promise<void> {
  for (const table of ['bench', 'fdw', computeTable]) await mysql.query(`TRUNCATE ${table}`);
  await plain.query('TRUNCATE bench');
}

/** INSERT ... SELECT; to MySQL itself LOAD DATA. Leaves all tables full. */
export async function bulkInserts(subjects: Subjects, sizes: Sizes): Promise<Rates> {
  const { compute, plain, mysql } = subjects;
  const { bulkRows, slowRows, file } = sizes;
  await emptyTables(subjects);
  const load = () =>
    mysql.query({
      sql: `LOAD DATA LOCAL INFILE 'rows' INTO TABLE bench`,
      infileStreamFactory: () => createReadStream(file),
    });
  return {
    mysql: await rateOf(bulkRows, load),
    compute: await rateOf(bulkRows, () => compute.query(insertSelect('bench', bulkRows))),
    mysql_fdw: await rateOf(slowRows, () => plain.query(insertSelect('fdw', slowRows))),
    postgres: await rateOf(bulkRows, () => plain.query(insertSelect('bench', bulkRows))),
  };
}

/** COPY FROM a file on the server. */
export async function copies(subjects: Subjects, { bulkRows, file }: Sizes): Promise<Rates> {
  const { compute, plain, mysql } = subjects;
  await emptyTables(subjects);
  const load = () =>
    mysql.query({
      sql: `LOAD DATA LOCAL INFILE 'rows' INTO TABLE bench`,
      infileStreamFactory: () => createReadStream(file),
    });
  return {
    mysql: await rateOf(bulkRows, load),
    compute: await rateOf(bulkRows, () => compute.query(`COPY bench FROM '${file}'`)),
    postgres: await rateOf(bulkRows, () => plain.query(`COPY bench FROM '${file}'`)),
  };
}

/** Every row to the client. */
export async function fullScans({ compute, plain, mysql }: Subjects, { bulkRows }: Sizes): Promise<Rates> {
  const all = 'SELECT * FROM bench';
  return {
    mysql: await rateOf(bulkRows, () => mysql.query(all)),
    compute: await rateOf(bulkRows, () => compute.query(all)),
    postgres: await rateOf(bulkRows, () => plain.query(all)),
  };
}

export async function aggregates({ compute, plain, mysql }: Subjects, { bulkRows }: Sizes): Promise<Rates> {
  const sums = 'SELECT n % 10, count(*), sum(n), max(id) FROM bench GROUP BY n % 10';
  return {
    mysql: await rateOf(bulkRows, () => mysql.query(sums)),
    compute: await rateOf(bulkRows, () => compute.query(sums)),
    postgres: await rateOf(bulkRows, () => plain.query(sums)),
  };
}

/** Two changes in one transaction: both on one shard, and on two. */
export async function commits({ compute }: Subjects, { operations }: Sizes): Promise<Rates> {
  const transaction = async (id: number, second: string): Promise<void> => {
    await compute.query('BEGIN');
    await compute.query(`UPDATE bench SET n = n + 1 WHERE id = ${String(id + 1)}`);
    await compute.query(`UPDATE ${second} SET n = n + 1 WHERE id = ${String(id + 2)}`);
    await compute.query('COMMIT');
  };
  await compute.query(`${insertSelect('other', 1100)} ON CONFLICT DO NOTHING`);
  return interleaved(Math.ceil(operations / 4), {
    onePhase: (id) => transaction(id, 'bench'),
    twoPhase: (id) => transaction(id, 'other'),
  });
}
