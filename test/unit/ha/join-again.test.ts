import { describe, expect, it } from 'vitest';
import type { SqlSession } from '../../../src/engines/sql.ts';
import { foundAgain, joinAgain } from '../../../src/ha/join-again.ts';

/** What a server that is in this state of its group is told to do, in order. */
async function told(
  state: string | null,
  order: (session: SqlSession) => Promise<void>,
): Promise<readonly string[]> {
  const statements: string[] = [];
  await order({
    rows: () => Promise.resolve(state === null ? [] : [{ state }]),
    execute: (text) => {
      statements.push(text);
      return Promise.resolve({ affectedRows: 0, insertId: 0 });
    },
    query: (text) => {
      statements.push(text);
      return Promise.resolve([]);
    },
  });
  return statements;
}

const open = 'SET GLOBAL offline_mode = OFF';
const found = [
  'SET GLOBAL group_replication_bootstrap_group = ON',
  'START GROUP_REPLICATION',
  'SET GLOBAL group_replication_bootstrap_group = OFF',
];

describe('a member that comes back', () => {
  it('leaves what it calls its group first when that has lost the majority, and lets its clients in', async () => {
    expect(await told('ERROR', joinAgain)).toEqual([
      'STOP GROUP_REPLICATION',
      open,
      'START GROUP_REPLICATION',
    ]);
    expect(await told('ERROR', foundAgain)).toEqual(['STOP GROUP_REPLICATION', open, ...found]);
  });

  it('only starts when it is in none', async () => {
    for (const state of ['OFFLINE', null]) {
      expect(await told(state, joinAgain)).toEqual([open, 'START GROUP_REPLICATION']);
      expect(await told(state, foundAgain)).toEqual([open, ...found]);
    }
  });
});
