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
const foundNothing = 'SET GLOBAL group_replication_bootstrap_group = OFF';
const joined = [foundNothing, 'START GROUP_REPLICATION'];
const found = ['SET GLOBAL group_replication_bootstrap_group = ON', 'START GROUP_REPLICATION', foundNothing];

describe('a member that comes back', () => {
  it('never founds a group by joining, whatever an order that was cut off has left', async () => {
    expect((await told('OFFLINE', joinAgain)).slice(-2)).toEqual(joined);
  });

  it('leaves what it calls its group first when that has lost the majority, and lets its clients in', async () => {
    expect(await told('ERROR', joinAgain)).toEqual(['STOP GROUP_REPLICATION', open, ...joined]);
    expect(await told('ERROR', foundAgain)).toEqual(['STOP GROUP_REPLICATION', open, ...found]);
  });

  it('only starts when it is in none', async () => {
    for (const state of ['OFFLINE', null]) {
      expect(await told(state, joinAgain)).toEqual([open, ...joined]);
      expect(await told(state, foundAgain)).toEqual([open, ...found]);
    }
  });
});
