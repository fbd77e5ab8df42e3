import { describe, expect, it } from 'vitest';
import { sqlError } from '../../../src/engines/sql-error.ts';

const thrown = (properties: object): Error => Object.assign(new Error('as the driver says'), properties);

describe('sqlError', () => {
  it.each([
    ['a socket that the server has closed', { code: 'EPIPE', errno: -32 }],
    ['a server that is not there', { code: 'ECONNREFUSED', errno: -111 }],
    ['a MySQL session that was killed', { code: 'ER_SESSION_WAS_KILLED', errno: 3169, sqlState: 'HY000' }],
    [
      'a MySQL session idle for too long',
      { code: 'ER_CLIENT_INTERACTION_TIMEOUT', errno: 4031, sqlState: 'HY000' },
    ],
    ['a MySQL server that shuts down', { code: 'ER_SERVER_SHUTDOWN', errno: 1053, sqlState: '08S01' }],
    ['a PostgreSQL server that shuts down', { code: '57P01' }],
  ])('knows that the connection is lost: %s', (_what, properties) => {
    expect(sqlError('server', 'statement', thrown(properties)).connectionLost).toBe(true);
  });

  it.each([
    ['a duplicate key of MySQL', { code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000' }, '23000'],
    ['a refusal of PostgreSQL', { code: '42P01' }, '42P01'],
    ['an internal error of PostgreSQL', { code: 'XX000' }, 'XX000'],
  ])('knows that the server lives: %s', (_what, properties, sqlState) => {
    const error = sqlError('server', 'statement', thrown(properties));
    expect([error.connectionLost, error.sqlState]).toEqual([false, sqlState]);
  });
});
