import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../../src/engines/postgres/connection.ts';
import { EngineSqlError } from '../../../src/engines/sql-error.ts';
import type { SqlAddress, SqlSession } from '../../../src/engines/sql.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';
import { startPostgresServer, type PostgresServer } from '../../support/postgres-server.ts';

type Open = <T>(
  address: SqlAddress,
  signal: AbortSignal,
  run: (session: SqlSession) => Promise<T>,
) => Promise<T>;

interface Engine {
  readonly name: string;
  readonly open: Open;
  readonly address: () => SqlAddress;
  readonly placeholder: string;
  readonly sleep: string;
  /** Sessions of ours, not counting the one that asks. */
  readonly sessions: string;
}

let mysql: MetadataServer;
let postgres: PostgresServer;
let hung: Server;
const hungSockets = new Set<Socket>();
const hungPort = 25_431;

beforeAll(async () => {
  [mysql, postgres] = await Promise.all([startMetadataServer(), startPostgresServer('127.0.5.3', 25_432)]);
  hung = createServer((socket) => {
    hungSockets.add(socket.resume());
    socket.on('error', () => hungSockets.delete(socket));
    socket.on('close', () => hungSockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    hung.listen(hungPort, '127.0.5.3', resolve);
  });
});
afterAll(async () => {
  for (const socket of hungSockets) socket.destroy();
  hung.close();
  await Promise.all([mysql.stop(), postgres.stop()]);
});

const engines: readonly Engine[] = [
  {
    name: 'MySQL',
    open: withMysql,
    address: () => {
      const { hostaddr, port, user, password } = mysql.options('mysql');
      return { hostaddr, port, user, password };
    },
    placeholder: '?',
    sleep: 'SELECT SLEEP(20)',
    sessions:
      "SELECT COUNT(*) AS n FROM performance_schema.threads WHERE PROCESSLIST_USER = 'kluster_test' AND PROCESSLIST_ID <> CONNECTION_ID()",
  },
  {
    name: 'PostgreSQL',
    open: withPostgres,
    address: () => postgres.address,
    placeholder: '$1',
    sleep: 'SELECT pg_sleep(20)',
    sessions:
      "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'kluster' AND pid <> pg_backend_pid()",
  },
];

const signal = (): AbortSignal => new AbortController().signal;

async function failure(run: Promise<unknown>): Promise<EngineSqlError> {
  const thrown = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof EngineSqlError)) throw new Error(`EngineSqlError expected, got ${String(thrown)}`);
  return thrown;
}

describe.each(engines)('a connection to $name', (engine) => {
  const run = <T>(work: (session: SqlSession) => Promise<T>): Promise<T> =>
    engine.open(engine.address(), signal(), work);
  const sessions = async (): Promise<unknown> => {
    const [row] = await run((session) => session.query(engine.sessions));
    return row?.['n'];
  };

  it('binds parameters and gives values back as they were', async () => {
    for (const value of ["it's; DROP TABLE x -- ", '\u4e2d\u6587 \u{1F600}', '']) {
      const cast = engine.name === 'MySQL' ? '? AS v' : '$1::text AS v';
      const [row] = await run((session) => session.rows(`SELECT ${cast}`, [value]));
      expect(row).toEqual({ v: value });
    }
  });

  it('gives whole numbers as numbers as long as they fit', async () => {
    const [row] = await run((session) =>
      session.query(
        'SELECT CAST(7 AS DECIMAL(3,1)) AS d, 4503599627370497 AS n, 9223372036854775807 AS m, NULL AS z',
      ),
    );
    expect(row).toEqual({ d: '7.0', n: 4_503_599_627_370_497, m: '9223372036854775807', z: null });
  });

  it('takes a number where the server wants a whole one', async () => {
    const [row] = await run((session) => session.rows(`SELECT 1 AS one LIMIT ${engine.placeholder}`, [5]));
    expect(row).toEqual({ one: 1 });
  });

  it('says what a statement changed', async () => {
    await run(async (session) => {
      await session.query(
        'CREATE TEMPORARY TABLE kt (n INT)'.replace('kt', engine.name === 'MySQL' ? 'mysql.kt' : 'kt'),
      );
      const table = engine.name === 'MySQL' ? 'mysql.kt' : 'kt';
      const change = await session.execute(`INSERT INTO ${table} VALUES (${engine.placeholder}), (2)`, [1]);
      expect(change).toEqual({ affectedRows: 2, insertId: 0 });
      expect(await session.rows(`SELECT n FROM ${table} ORDER BY n`)).toEqual([{ n: 1 }, { n: 2 }]);
    });
  });

  it("reports the server's words with its address, and no parameter", async () => {
    const secret = 'hunter2';
    const error = await failure(
      run((session) =>
        session.rows(`SELECT * FROM nowhere.nothing WHERE a = ${engine.placeholder}`, [secret]),
      ),
    );
    const { hostaddr, port } = engine.address();
    expect(error).toMatchObject({ kind: 'engine_sql', connectionLost: false });
    expect(error.message).toContain(`${engine.name} ${hostaddr}:${String(port)}`);
    expect(error.message).toMatch(/nothing|nowhere/);
    expect(error.sqlState).toMatch(/^42/);
    expect(JSON.stringify([error, error.cause, error.stack])).not.toContain(secret);
  });

  it('goes on after a refused statement', async () => {
    await run(async (session) => {
      await failure(session.query('NONSENSE'));
      expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });
  });

  it('refuses a wrong password in the words of the server', async () => {
    const error = await failure(
      engine.open({ ...engine.address(), password: 'wrong' }, signal(), (session) =>
        session.query('SELECT 1'),
      ),
    );
    expect(error.message).toMatch(/password/i);
    expect(error.connectionLost).toBe(false);
  });

  it('is refused where nobody listens', async () => {
    const error = await failure(
      engine.open({ ...engine.address(), port: 25_999 }, signal(), async () => undefined),
    );
    expect(error).toMatchObject({ connectionLost: true, symbol: 'ECONNREFUSED' });
    expect(error.message).toContain(':25999');
  });

  it('does not wait for a server that accepts and says nothing', async () => {
    const address = { ...engine.address(), hostaddr: '127.0.5.3', port: hungPort, connectTimeoutMs: 200 };
    const started = performance.now();
    const error = await failure(engine.open(address, signal(), async () => undefined));
    expect(error.message).toContain('no answer within 200 ms');
    expect(error.connectionLost).toBe(true);
    expect(performance.now() - started).toBeLessThan(1500);
    await expect.poll(() => hungSockets.size).toBe(0);
  });

  it('gives a statement no longer than its deadline, and leaves nothing open', async () => {
    const started = performance.now();
    const error = await failure(run((session) => session.query(engine.sleep, { timeoutMs: 150 })));
    expect(error.message).toContain('no answer within 150 ms');
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('stops for the reason of its caller', async () => {
    const caller = new AbortController();
    const reason = new Error('cancelled by the operator');
    setTimeout(() => caller.abort(reason), 100);
    await expect(
      engine.open(engine.address(), caller.signal, (session) => session.query(engine.sleep)),
    ).rejects.toBe(reason);
    await expect(engine.open(engine.address(), caller.signal, async () => 1)).rejects.toBe(reason);
  });

  it('fails, and does not end the process, when the server ends the session', async () => {
    const error = await failure(
      run(async (session) => {
        if (engine.name === 'MySQL') await session.query('KILL CONNECTION_ID()').catch(() => undefined);
        else await session.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
        return session.query('SELECT 1');
      }),
    );
    expect(error.connectionLost).toBe(true);
  });

  it('is closed when the callback ends, also by an error', async () => {
    // Sessions that were cut while they slept may still be there, until they wake.
    const before = Number(await sessions());
    for (let round = 0; round < 5; round += 1) {
      await expect(run(async () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
      await run((session) => session.query('SELECT 1'));
    }
    await expect.poll(async () => Number(await sessions()), { timeout: 5000 }).toBeLessThanOrEqual(before);
  });
});
