import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { MetadataDatabase } from '../../../src/catalog/database.ts';
import { isDuplicate } from '../../../src/catalog/metadata-error.ts';
import { dateOf } from '../../../src/catalog/columns.ts';
import { firstRow, numberOf, textOf, type Sql } from '../../../src/catalog/sql.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

let server: MetadataServer;
let database: MetadataDatabase;

beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
  await database.define(async (session) => {
    await session.query(
      'CREATE TABLE notes (id int PRIMARY KEY, text varchar(200) UNIQUE, at timestamp(3) NULL) COMMENT = "of this test"',
    );
  });
});
afterAll(() => server?.stop());
beforeEach(async () => {
  await database.takeOffice('test');
  await database.define((session) => session.query('TRUNCATE notes'));
});

const insert = (id: number, text: string) => (sql: Sql) =>
  sql.execute('INSERT INTO notes (id, text) VALUES (?, ?)', [id, text]);
const texts = (from: MetadataDatabase): Promise<readonly string[]> =>
  from.read((sql) => sql.rows('SELECT text FROM notes ORDER BY id', [], (row) => textOf(row, 'text')));

async function failure(promise: Promise<unknown>): Promise<KlusterError> {
  const error: unknown = await promise.then(
    () => new Error('did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof KlusterError)) throw error;
  return error;
}

/** A promise and its resolver, to hold a transaction open for as long as a test wants. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe('terms of office', () => {
  it('refuses changes of a manager that never took office', async () => {
    const outsider = server.another();
    expect((await failure(outsider.write(insert(1, 'a')))).kind).toBe('not_leader');
    expect((await failure(outsider.define((session) => session.query('DROP TABLE notes')))).kind).toBe(
      'not_leader',
    );
    expect(await texts(database)).toEqual([]);
  });

  it('refuses every change of the former leader once another has taken office, and tells who leads', async () => {
    const former = server.another();
    const next = server.another();
    const first = await former.takeOffice('manager-a');
    await former.write(insert(1, 'of the former'));
    expect(await next.takeOffice('manager-b')).toBe(first + 1);
    const error = await failure(former.write(insert(2, 'too late')));
    expect(error.kind).toBe('stale_epoch');
    expect(error.message).toContain('manager-b');
    expect((await failure(former.define((session) => session.query('DROP TABLE notes')))).kind).toBe(
      'stale_epoch',
    );
    await next.write(insert(3, 'of the next'));
    expect(await texts(former)).toEqual(['of the former', 'of the next']);
  });

  it('a transaction of the former leader that has begun is either complete before the new term, or undone', async () => {
    const former = server.another();
    await former.takeOffice('frozen');
    const begun = gate();
    const held = gate();
    const frozen = former.write(async (sql) => {
      await insert(1, 'half done')(sql);
      begun.open();
      await held.passed;
    });
    const outcome = failure(frozen);
    await begun.passed;
    const started = performance.now();
    await database.takeOffice('test');
    expect(performance.now() - started).toBeLessThan(8000);
    await database.write(insert(2, 'of the new term'));
    held.open();
    expect((await outcome).kind).toBe('metadata');
    expect(await texts(database)).toEqual(['of the new term']);
  });
});

describe('transactions', () => {
  it('keeps all of a write or nothing', async () => {
    const error = await failure(
      database.write(async (sql) => {
        await insert(1, 'a')(sql);
        await insert(2, 'b')(sql);
        throw new KlusterError('internal', 'on second thoughts');
      }),
    );
    expect(error.message).toBe('on second thoughts');
    expect(await texts(database)).toEqual([]);
  });

  it('lets the callback handle a duplicate key and go on', async () => {
    await database.write(insert(1, 'a'));
    await database.write(async (sql) => {
      await expect(insert(1, 'b')(sql)).rejects.toSatisfy(isDuplicate);
      await insert(2, 'c')(sql);
    });
    expect(await texts(database)).toEqual(['a', 'c']);
  });

  it('a read sees one moment and cannot change anything', async () => {
    await database.write(insert(1, 'a'));
    await database.read(async (sql) => {
      const count = () => firstRow(sql, 'SELECT COUNT(*) AS n FROM notes', [], (row) => numberOf(row, 'n'));
      expect(await count()).toBe(1);
      await database.write(insert(2, 'b'));
      expect(await count()).toBe(1);
      await expect(insert(3, 'c')(sql)).rejects.toMatchObject({ kind: 'metadata', errno: 1792 });
    });
    expect(await texts(database)).toEqual(['a', 'b']);
  });

  it('repeats a write that lost a deadlock', async () => {
    await database.write(async (sql) => {
      await insert(1, 'one')(sql);
      await insert(2, 'two')(sql);
    });
    const both = [gate(), gate()] as const;
    let runs = 0;
    const crossing = (mine: 0 | 1) =>
      database.write(async (sql) => {
        runs += 1;
        const append = (id: number) =>
          sql.execute('UPDATE notes SET text = CONCAT(text, ?) WHERE id = ?', [String(mine), id]);
        await append(mine === 0 ? 1 : 2);
        both[mine].open();
        await both[1 - mine === 0 ? 0 : 1].passed;
        await append(mine === 0 ? 2 : 1);
      });
    await Promise.all([crossing(0), crossing(1)]);
    expect(runs).toBeGreaterThan(2);
    for (const text of await texts(database)) expect(['01', '10']).toContain(text.slice(3));
  });

  it('sends dates as UTC whatever the zone of the server, and gives them back', async () => {
    const at = new Date('2024-02-29T12:34:56.789Z');
    await database.write((sql) => sql.execute('INSERT INTO notes (id, at) VALUES (1, ?)', [at]));
    await database.read(async (sql) => {
      const row = await firstRow(sql, 'SELECT at, UNIX_TIMESTAMP(at) AS seconds FROM notes', [], (found) => ({
        at: dateOf(found, 'at'),
        seconds: numberOf(found, 'seconds'),
      }));
      expect(row?.at).toEqual(at);
      expect(row?.seconds).toBeCloseTo(at.getTime() / 1000, 3);
    });
  });
});

describe('connections', () => {
  it('are encrypted', async () => {
    const cipher = await database.read((sql) =>
      firstRow(sql, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", [], (row) => textOf(row, 'Value')),
    );
    expect(cipher).toMatch(/^TLS_/);
  });

  it('an aborted call fails with the reason of its signal at once, and leaves nothing behind', async () => {
    const reason = new Error('no longer wanted');
    const controller = new AbortController();
    const slow = database.write(async (sql) => {
      await insert(1, 'never')(sql);
      setTimeout(() => controller.abort(reason), 50);
      await sql.rows('SELECT SLEEP(20) AS s', [], () => null);
    }, controller.signal);
    const started = performance.now();
    await expect(slow).rejects.toBe(reason);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(await texts(database)).toEqual([]);
  });

  it('a statement without an answer ends at its deadline, naming the server', async () => {
    const impatient = MetadataDatabase.open({ ...server.options('metadata_1'), statementTimeoutMs: 200 });
    try {
      const error = await failure(impatient.read((sql) => sql.rows('SELECT SLEEP(20) AS s', [], () => null)));
      expect(error.kind).toBe('metadata');
      expect(error.message).toContain(`${server.hostaddr}:${String(server.port)}`);
      expect(error.message).toContain('200 ms');
    } finally {
      await impatient.close();
    }
  });

  it('that the server has closed are replaced without anyone noticing', async () => {
    const quiet = server.another({ connectionLimit: 2 });
    // Several rounds: the news of the end arrives before, while or after the next statement is sent.
    for (let round = 1; round <= 25; round += 1) {
      const ids = await Promise.all([connectionId(quiet), connectionId(quiet)]);
      await database.administer(async (session) => {
        for (const id of new Set(ids)) await session.query(`KILL CONNECTION ${String(id)}`);
      });
      expect(ids).not.toContain(await connectionId(quiet));
    }
  });

  it('are shared in turn: more callers than connections all get theirs', async () => {
    const narrow = server.another({ connectionLimit: 2 });
    const answers = await Promise.all(Array.from({ length: 40 }, () => connectionId(narrow)));
    expect(new Set(answers).size).toBeLessThanOrEqual(2);
  });

  it('a caller that waits for a connection can give up; its place goes to the next', async () => {
    const narrow = server.another({ connectionLimit: 1 });
    const held = gate();
    const holder = narrow.read(() => held.passed);
    const controller = new AbortController();
    const waiting = narrow.read(async () => 'first', controller.signal);
    const next = narrow.read(async () => 'second');
    controller.abort(new Error('gave up'));
    await expect(waiting).rejects.toThrow('gave up');
    held.open();
    await holder;
    expect(await next).toBe('second');
  });

  it('after close every call is refused', async () => {
    const closed = server.another();
    await connectionId(closed);
    await closed.close();
    expect((await failure(connectionId(closed))).message).toContain('closed');
  });

  it('a server that is not there is an error that says so, within the connect timeout', async () => {
    const nowhere = MetadataDatabase.open({
      ...server.options('metadata_1'),
      hostaddr: '127.0.3.9',
      port: 23_999,
    });
    const error = await failure(connectionId(nowhere));
    expect(error.kind).toBe('metadata');
    expect(error.message).toContain('127.0.3.9:23999');
    await nowhere.close();
  });

  it('a refused statement gives the message of the server, not the parameters', async () => {
    const error = await failure(
      database.write((sql) => sql.execute('INSERT INTO nowhere (password) VALUES (?)', ['hunter2-secret'])),
    );
    expect(error.message).toContain("doesn't exist");
    expect(`${error.message} ${String(error.stack)} ${JSON.stringify(error)}`).not.toContain('hunter2');
  });
});

async function connectionId(from: MetadataDatabase): Promise<number> {
  const id = await from.read((sql) =>
    firstRow(sql, 'SELECT CONNECTION_ID() AS id', [], (row) => numberOf(row, 'id')),
  );
  if (id === undefined) throw new Error('no answer');
  return id;
}
