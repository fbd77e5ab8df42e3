import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectionUrl } from '../../../src/cli/connection-url.ts';
import { exitCodeOf } from '../../../src/cli/exit.ts';
import { clientOptions } from '../../../src/cli/sql-client.ts';
import { formatTable } from '../../../src/cli/table.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';

describe('connection URLs', () => {
  test('carry any user, password and database through a URL parser unchanged', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
        // URL parsers take away path segments "." and "..", however they are written.
        fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !/^\.{1,2}$/.test(name)),
        (user, password, database) => {
          const text = connectionUrl({
            engine: 'postgres',
            hostaddr: '10.0.0.1',
            port: 47_001,
            user,
            password,
            database,
          });
          const url = new URL(text);
          expect(decodeURIComponent(url.username)).toBe(user);
          expect(decodeURIComponent(url.password)).toBe(password);
          expect(decodeURIComponent(url.pathname.slice(1))).toBe(database);
          expect(text).toMatch(/^postgres:\/\/[\w.~%-]+:[\w.~%-]+@10\.0\.0\.1:47001\/[\w.~%-]+$/);
        },
      ),
    );
  });

  test('put an IPv6 address into brackets', () => {
    const access = { engine: 'mysql', hostaddr: 'fe80::1', port: 3306, user: 'u', password: 'p' } as const;
    expect(connectionUrl(access)).toBe('mysql://u:p@[fe80::1]:3306/');
  });
});

describe('the option file of the mysql client', () => {
  test('quotes what an option file would read otherwise', () => {
    const text = clientOptions({
      engine: 'mysql',
      hostaddr: '10.0.0.1',
      port: 57_001,
      user: 'u',
      password: 'a#b"c\\d e',
    });
    expect(text).toContain('password="a#b\\"c\\\\d e"\n');
  });
});

describe('tables', () => {
  test('columns line up, also with wide characters, and control characters are harmless', () => {
    const table = formatTable(
      [
        { title: 'name', value: (row) => row.name },
        { title: 'n', value: (row) => row.count },
      ],
      [
        { name: '对账库', count: 1 },
        { name: 'plain', count: null },
        { name: 'x\u001B[2Jy', count: 12 },
      ],
    );
    expect(table.split('\n')).toEqual(['NAME    N', '对账库  1', 'plain   -', 'x [2Jy  12']);
  });
});

describe('exit codes', () => {
  test.each([
    ['invalid_parameters', 2],
    ['unknown_job_type', 2],
    ['manager_unreachable', 3],
    ['unauthorized', 4],
    ['cluster_not_found', 5],
    ['engine_sql', 1],
  ] as const)('%s ends with %i', (kind, code) => {
    expect(exitCodeOf(new KlusterError(kind, 'why'))).toBe(code);
  });
});
