import { describe, expect, test } from 'vitest';
import { wantedServer } from '../../../src/cli/server-access.ts';

describe('the server that a command line names', () => {
  test('is one of four kinds', () => {
    expect(wantedServer({ metadata: true })).toEqual({ kind: 'metadata' });
    expect(wantedServer({ cluster: 'orders', comp: '2' })).toMatchObject({ kind: 'compute', id: 2 });
    expect(wantedServer({ cluster: '7', shard: '3' })).toMatchObject({ kind: 'shard', cluster: '7', id: 3 });
    expect(wantedServer({ cluster: '7', shard: '3', node: '9' })).toMatchObject({
      kind: 'node',
      id: 9,
      shard: 3,
    });
  });

  test.each([
    [{}, '--metadata, or --cluster'],
    [{ cluster: '7' }, '--comp or --shard'],
    [{ cluster: '7', comp: '1', shard: '2' }, '--comp or --shard'],
    [{ cluster: '7', comp: '1', node: '2' }, '--node goes with --shard'],
    [{ cluster: '7', shard: 'x' }, '--shard must be'],
    [{ metadata: true, cluster: '7' }, 'stands alone'],
    [{ cluster: '7', shard: '1', application: true }, '--application goes with --comp'],
  ])('%o is a mistake', (choice, told) => {
    expect(() => wantedServer(choice)).toThrow(told);
  });
});
