import { describe, expect, it } from 'vitest';
import { groupEntries } from '../../../src/missions/topology/shard-replication.ts';

describe('a group that is begun', () => {
  it('is founded by the first member, and joined by the others', () => {
    expect(groupEntries('OFFLINE', ['OFFLINE', 'OFFLINE'])).toEqual(['founds', 'joins', 'joins']);
    expect(groupEntries('OFFLINE', [])).toEqual(['founds']);
  });

  it('is founded again by a founder that has died before anybody joined', () => {
    expect(groupEntries('ERROR', ['OFFLINE', 'ERROR'])).toEqual(['founds', 'joins', 'joins']);
  });

  it('is joined by a founder that has died after others joined', () => {
    expect(groupEntries('OFFLINE', ['ONLINE', 'ONLINE'])).toEqual(['joins', 'runs', 'runs']);
    expect(groupEntries('OFFLINE', ['OFFLINE', 'RECOVERING'])).toEqual(['joins', 'joins', 'runs']);
  });

  it('keeps those that are in it', () => {
    expect(groupEntries('ONLINE', ['RECOVERING', 'OFFLINE'])).toEqual(['runs', 'runs', 'joins']);
  });
});
