import Type from 'typebox';
import { defineImmediateJob } from '../../jobs/immediate.ts';
import type { Services } from '../../jobs/services.ts';
import { readScope, scopeParas } from './scope.ts';

/** Ends a suspension before its time. One that has ended, or never was, is none: nothing is wrong then. */
export const delNoswitch = defineImmediateJob<Services>()({
  jobType: 'del_noswitch',
  aliases: [],
  summary: 'Allow automatic failover of shards again',
  paras: Type.Object(scopeParas),
  example: { cluster_id: '1', shard_id: '1' },
  changes: true,
  async answer({ catalog }, paras, signal) {
    const removed = await catalog.database.write(
      async (sql) => catalog.noSwitches.remove(sql, await readScope(catalog, sql, paras)),
      signal,
    );
    return { removed: removed ? '1' : '0' };
  },
});
