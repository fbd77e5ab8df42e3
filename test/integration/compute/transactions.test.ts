import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { preparedBranches } from '../../../src/engines/mysql/xa.ts';
import { numberOf, type SqlSession } from '../../../src/engines/sql.ts';
import { startComputeNode, type ComputeNode } from '../../support/compute-node.ts';

let node: ComputeNode;
let session: Client;

beforeAll(async () => {
  node = await startComputeNode(22_410);
  const first = await node.session();
  await first.query('CREATE TABLE one (id int PRIMARY KEY, note text) WITH (shard = 1)');
  await first.query('CREATE TABLE two (id int PRIMARY KEY, note text) WITH (shard = 2)');
  await first.query('CREATE ROLE plain LOGIN');
});

beforeEach(async () => {
  session = await node.session();
  await session.query('TRUNCATE one');
  await session.query('TRUNCATE two');
});

async function ids(table: 'one' | 'two', by = session): Promise<readonly number[]> {
  const { rows } = await by.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`);
  return rows.map(({ id }) => id);
}

/** On the server of a shard itself, as its administrator. */
function onShard<T>(shard: 1 | 2, run: (mysql: SqlSession) => Promise<T>): Promise<T> {
  const server = node.shards[shard - 1];
  if (server === undefined) throw new Error('no such shard');
  const { hostaddr, port, user, password } = server.options('mysql');
  return withMysql({ hostaddr, port, user, password }, AbortSignal.timeout(30_000), run);
}

async function openTransactions(): Promise<number> {
  let count = 0;
  for (const shard of [1, 2] as const) {
    count += await onShard(shard, async (mysql) => {
      const [row] = await mysql.query('SELECT COUNT(*) AS found FROM information_schema.INNODB_TRX');
      return (row === undefined ? 0 : numberOf(row, 'found')) + (await preparedBranches(mysql)).length;
    });
  }
  return count;
}

describe('commit and rollback', () => {
  it('add up what many sessions count with ON CONFLICT DO UPDATE, whoever is first', async () => {
    await session.query('CREATE TABLE counts (id int PRIMARY KEY, n int)');
    const sessions = await Promise.all(Array.from({ length: 8 }, () => node.session()));
    for (let id = 0; id < 30; id += 1)
      await Promise.all(
        sessions.map((by) =>
          by.query(
            'INSERT INTO counts VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = counts.n + 1 RETURNING n',
            [id],
          ),
        ),
      );
    const { rows } = await session.query('SELECT n, count(*)::int AS ids FROM counts GROUP BY n');
    expect(rows).toEqual([{ n: 8, ids: 30 }]);
    await session.query('DROP TABLE counts');
  });

  it('end what was done on both shards', async () => {
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await session.query("INSERT INTO two VALUES (1, 'a')");
    expect(await ids('one')).toEqual([1]);
    const other = await node.session();
    expect(await ids('one', other)).toEqual([]);
    await session.query('ROLLBACK');
    expect([await ids('one'), await ids('two')]).toEqual([[], []]);
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (2, 'a')");
    await session.query("INSERT INTO two VALUES (2, 'a')");
    await session.query('COMMIT');
    expect([await ids('one', other), await ids('two', other)]).toEqual([[2], [2]]);
    expect(await openTransactions()).toBe(0);
  });

  it('follow an error: the statement before it is undone as well', async () => {
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await expect(session.query("INSERT INTO one VALUES (2, 'b'), (1, 'c')")).rejects.toMatchObject({
      code: '23505',
    });
    await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
    expect(await session.query('COMMIT')).toMatchObject({ command: 'ROLLBACK' });
    expect(await ids('one')).toEqual([]);
    expect(await openTransactions()).toBe(0);
  });

  it('PREPARE TRANSACTION is refused by name', async () => {
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await expect(session.query("PREPARE TRANSACTION 'x'")).rejects.toMatchObject({ code: '0A000' });
    expect(await ids('one')).toEqual([]);
  });
});

describe('savepoints', () => {
  it('roll back to where they were set, on every shard', async () => {
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await session.query('SAVEPOINT outer_one');
    await session.query("INSERT INTO one VALUES (2, 'a')");
    await session.query("INSERT INTO two VALUES (2, 'a')");
    await session.query('SAVEPOINT inner_one');
    await session.query("INSERT INTO two VALUES (3, 'a')");
    await session.query('ROLLBACK TO inner_one');
    await session.query("INSERT INTO two VALUES (4, 'a')");
    await session.query('RELEASE inner_one');
    expect([await ids('one'), await ids('two')]).toEqual([
      [1, 2],
      [2, 4],
    ]);
    await session.query('ROLLBACK TO outer_one');
    await session.query("INSERT INTO one VALUES (5, 'a')");
    await session.query('COMMIT');
    expect([await ids('one'), await ids('two')]).toEqual([[1, 5], []]);
  });

  it('keep the transaction after an error, also in a loop of PL/pgSQL', async () => {
    await session.query(`
      DO $$ BEGIN
        FOR i IN 1..20 LOOP
          BEGIN
            INSERT INTO one VALUES (i / 2, 'x');
          EXCEPTION WHEN unique_violation THEN
            INSERT INTO two VALUES (i, 'duplicate');
          END;
        END LOOP;
      END $$`);
    expect(await ids('one')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await ids('two')).toEqual([3, 5, 7, 9, 11, 13, 15, 17, 19]);
  });

  it('survive a statement that is cancelled while it waits for more rows', async () => {
    const other = await node.session();
    // More than the server sends at once comes before the row that is locked.
    await session.query("INSERT INTO one SELECT i, repeat('x', 4000) FROM generate_series(1, 50) i");
    await other.query('BEGIN');
    await other.query("UPDATE one SET note = 'locked' WHERE id = 30");
    await session.query('BEGIN');
    await session.query("UPDATE one SET note = 'kept' WHERE id = 50");
    await session.query('SAVEPOINT before');
    await session.query("SET LOCAL statement_timeout = '1s'");
    await expect(
      session.query('SELECT id FROM one WHERE length(note) > 1 ORDER BY id FOR UPDATE'),
    ).rejects.toMatchObject({ code: '57014' });
    await session.query('ROLLBACK TO before');
    await session.query('COMMIT');
    await other.query('ROLLBACK');
    const { rows } = await session.query("SELECT id FROM one WHERE note = 'kept'");
    expect(rows).toEqual([{ id: 50 }]);
  });
});

describe('isolation', () => {
  it('READ COMMITTED sees what others have committed meanwhile', async () => {
    const other = await node.session();
    await session.query('BEGIN');
    expect(await ids('one')).toEqual([]);
    await other.query("INSERT INTO one VALUES (1, 'a')");
    expect(await ids('one')).toEqual([1]);
    await session.query('COMMIT');
  });

  it('REPEATABLE READ READ ONLY does not, and blocks nobody', async () => {
    const other = await node.session();
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    expect(await ids('one')).toEqual([]);
    await other.query("INSERT INTO one VALUES (1, 'a')");
    expect(await ids('one')).toEqual([]);
    await session.query('COMMIT');
    expect(await ids('one')).toEqual([1]);
  });

  it('SERIALIZABLE refuses write skew', async () => {
    const other = await node.session();
    await session.query("INSERT INTO one VALUES (1, 'on duty'), (2, 'on duty')");
    const leave = async (doctor: Client, id: number): Promise<string> => {
      try {
        await doctor.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
        await doctor.query("SELECT count(*) FROM one WHERE note = 'on duty'");
        await sleep(200);
        await doctor.query("UPDATE one SET note = 'away' WHERE id = $1", [id]);
        await doctor.query('COMMIT');
        return 'left';
      } catch (error) {
        await doctor.query('ROLLBACK');
        return String(Reflect.get(Object(error), 'code'));
      }
    };
    const outcomes = await Promise.all([leave(session, 1), leave(other, 2)]);
    expect(outcomes.toSorted()).toEqual(['40P01', 'left']);
  });

  it('a deadlock ends one of the two with 40P01, also after a savepoint', async () => {
    const other = await node.session();
    await session.query("INSERT INTO one VALUES (1, 'a'), (2, 'a')");
    await session.query('BEGIN');
    await other.query('BEGIN');
    await session.query("UPDATE one SET note = 'b' WHERE id = 1");
    await other.query("UPDATE one SET note = 'c' WHERE id = 2");
    const change = async (client: Client, id: number): Promise<string> => {
      await client.query('SAVEPOINT before');
      try {
        await client.query("UPDATE one SET note = 'd' WHERE id = $1", [id]);
        await client.query('COMMIT');
        return 'committed';
      } catch (error) {
        await client.query('ROLLBACK TO before');
        const again = await client.query('SELECT * FROM one').then(
          () => 'lives',
          (lost: unknown) => String(Reflect.get(Object(lost), 'code')),
        );
        await client.query('ROLLBACK');
        return `${String(Reflect.get(Object(error), 'code'))}, then ${again}`;
      }
    };
    const outcomes = await Promise.all([change(session, 2), change(other, 1)]);
    expect(outcomes.toSorted()).toEqual(['40P01, then 40001', 'committed']);
    expect(await openTransactions()).toBe(0);
  });
});

describe('interruptions', () => {
  it('statement_timeout and cancel end a remote statement at once, and the transaction can go on', async () => {
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await session.query('SAVEPOINT before');
    await session.query("SET LOCAL statement_timeout = '300ms'");
    const slow = "SELECT * FROM kluster.query_on_shard(1, 'SELECT SLEEP(60)')";
    await expect(session.query(slow)).rejects.toMatchObject({ code: '57014' });
    await session.query('ROLLBACK TO before');
    const { rows } = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const sleeping = session.query(slow).catch((error: unknown) => error);
    const other = await node.session();
    await sleep(300);
    await other.query('SELECT pg_cancel_backend($1)', [rows[0]?.pid]);
    expect(await sleeping).toMatchObject({ code: '57014' });
    await session.query('ROLLBACK TO before');
    await session.query("INSERT INTO one VALUES (2, 'a')");
    await session.query('COMMIT');
    expect(await ids('one')).toEqual([1, 2]);
    expect(await openTransactions()).toBe(0);
  });

  it('a lock that is not given in time is 55P03', async () => {
    await onShard(1, (mysql) => mysql.execute('SET GLOBAL innodb_lock_wait_timeout = 1'));
    const waiter = await node.session();
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await session.query('BEGIN');
    await session.query("UPDATE one SET note = 'b' WHERE id = 1");
    await expect(waiter.query("UPDATE one SET note = 'c' WHERE id = 1")).rejects.toMatchObject({
      code: '55P03',
    });
    await session.query('COMMIT');
    expect(await waiter.query("UPDATE one SET note = 'c' WHERE id = 1")).toMatchObject({ rowCount: 1 });
  });

  it('a killed connection is one error in a transaction, and none outside of it', async () => {
    const killAll = () =>
      onShard(1, async (mysql) => {
        const rows = await mysql.query(
          "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'compute'",
        );
        for (const row of rows) await mysql.query(`KILL ${String(numberOf(row, 'id'))}`);
      });
    await session.query("INSERT INTO one VALUES (1, 'a')");
    await killAll();
    expect(await ids('one')).toEqual([1]);
    await session.query('BEGIN');
    await session.query("INSERT INTO one VALUES (2, 'a')");
    await killAll();
    await expect(session.query("INSERT INTO one VALUES (3, 'a')")).rejects.toMatchObject({ code: '08006' });
    await session.query('ROLLBACK');
    expect(await ids('one')).toEqual([1]);
  });

  it('an abandoned cursor over many rows does not hold up what comes next', async () => {
    await session.query("INSERT INTO one SELECT id, repeat('x', 200) FROM generate_series(1, 20000) AS id");
    await session.query('BEGIN');
    await session.query('DECLARE few CURSOR FOR SELECT * FROM one');
    expect((await session.query('FETCH 3 FROM few')).rows).toHaveLength(3);
    await session.query("INSERT INTO one VALUES (-1, 'between')");
    expect((await session.query('FETCH 3 FROM few')).rows).toHaveLength(3);
    await session.query('CLOSE few');
    await session.query('COMMIT');
    expect((await session.query('SELECT * FROM one LIMIT 1')).rows).toHaveLength(1);
    expect((await session.query<{ n: string }>('SELECT count(*) AS n FROM one')).rows[0]?.n).toBe('20001');
  });
});

describe('rows that have to wait on disk', () => {
  it('come back as they were, and leave no file behind', async () => {
    const warnings: string[] = [];
    session.on('notice', ({ message }) => warnings.push(message ?? ''));
    await session.query(
      'INSERT INTO one SELECT id, repeat(md5(id::text), 10) FROM generate_series(1, 2000) AS id',
    );
    await session.query("SET work_mem = '64kB'");
    await session.query('BEGIN; DECLARE held CURSOR FOR SELECT id, note FROM one; FETCH 1 FROM held');
    // The connection is needed for this: what the cursor has not read yet is put aside.
    await session.query("UPDATE one SET note = '' WHERE id = -1");
    const { rows } = await session.query<{ id: number; note: string }>('FETCH ALL FROM held');
    expect(rows).toHaveLength(1999);
    const asTheyWere = ({ id, note }: { id: number; note: string }) =>
      note === createHash('md5').update(String(id)).digest('hex').repeat(10);
    expect(rows.filter((row) => !asTheyWere(row))).toEqual([]);
    await session.query('COMMIT');
    expect(warnings).toEqual([]);
  });
});

describe('secrets', () => {
  it('nobody but the owner reads passwords or speaks to shards directly', async () => {
    await session.query('SET ROLE plain');
    for (const forbidden of [
      'SELECT * FROM kluster.topology',
      "SELECT kluster.set_topology('{}')",
      "SELECT * FROM kluster.query_on_shard(1, 'SELECT 1')",
      "SELECT kluster.execute_on_shard(1, 'DELETE FROM x')",
      "SET kluster.fault_point = 'after_decision'",
    ])
      await expect(session.query(forbidden)).rejects.toMatchObject({ code: '42501' });
    expect((await session.query('SELECT * FROM kluster.shards()')).rows).toHaveLength(2);
  });

  it('an older topology is refused, and one that makes no sense names the field', async () => {
    const older = JSON.stringify({ ...node.topology, generation: 0 });
    await expect(session.query('SELECT kluster.set_topology($1)', [older])).rejects.toMatchObject({
      code: '55000',
    });
    const broken = JSON.stringify({
      ...node.topology,
      generation: 9,
      shards: [{ id: 1, name: 'x', nodes: [{}] }],
    });
    await expect(session.query('SELECT kluster.set_topology($1)', [broken])).rejects.toThrow(
      'shards[0].nodes[0].id',
    );
    const same = await session.query<{ news: boolean }>('SELECT kluster.set_topology($1) AS news', [
      JSON.stringify(node.topology),
    ]);
    expect(same.rows).toEqual([{ news: false }]);
  });
});
