import Type from 'typebox';
import { choice, integer } from '../../core/parameters/fields.ts';
import { defineImmediateJob } from '../../jobs/immediate.ts';
import type { Services } from '../../jobs/services.ts';
import { readScope, scopeParas } from './scope.ts';

const setNoswitchParas = Type.Object({
  ...scopeParas,
  timeout: integer({
    description: 'Seconds after which automatic failover is allowed again by itself.',
    minimum: 1,
    maximum: 31_536_000,
    codes: { invalid: 70_005 },
    example: '3600',
  }),
  type: Type.Optional(
    choice(['1'], {
      description: '1: a suspension that ends after timeout; there is no other kind.',
      codes: { invalid: 70_005 },
      example: '1',
    }),
  ),
});

/**
 * Suspends automatic failover of rbr shards. Servers are still restarted and replicas still started; manual_switch works;
 * the group of an mgr shard elects its primary by itself.
 */
export const setNoswitch = defineImmediateJob<Services>()({
  jobType: 'set_noswitch',
  aliases: [],
  summary: 'Forbid automatic failover of shards for a while',
  paras: setNoswitchParas,
  example: { type: '1', timeout: '3600', cluster_id: '1', shard_id: '1' },
  changes: true,
  async answer({ catalog }, paras, signal) {
    await catalog.database.write(async (sql) => {
      await catalog.noSwitches.set(sql, await readScope(catalog, sql, paras), paras.timeout);
    }, signal);
    return {};
  },
});
