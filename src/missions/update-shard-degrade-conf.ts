import Type from 'typebox';
import { choice, identifier, integer } from '../core/parameters/fields.ts';
import { violationsError } from '../core/errors/kluster-error.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { requireCluster, requireShard } from './shard-parameters.ts';

const updateShardDegradeConfParas = Type.Object({
  cluster_id: identifier({ description: 'Id of the cluster.', codes: { invalid: 70_025 } }),
  shard_id: identifier({ description: 'Id of the shard.', codes: { invalid: 70_024 } }),
  conf_degrade_state: choice(['ON', 'OFF'], {
    description:
      'ON: when too few replicas acknowledge for conf_degrade_time, commits wait for fewer. OFF: they wait until replicas are back, also those of a shard that has degraded before.',
    codes: { invalid: 70_005 },
    example: 'ON',
  }),
  conf_degrade_time: Type.Optional(
    integer({
      description: 'Seconds with too few acknowledging replicas before degrading. Default: as it is.',
      minimum: 5,
      maximum: 500,
      codes: { invalid: 70_005 },
      example: '25',
    }),
  ),
});

/** Seconds, of a shard for which none were ever given. */
const defaultSeconds = 25;

/** Whether a shard may degrade. With OFF, one that is degraded waits for all acknowledgements again at once. */
export const updateShardDegradeConf = defineImmediateJob<Services>()({
  jobType: 'update_shard_degrade_conf',
  aliases: [],
  summary: 'Set when a shard may stop waiting for acknowledgements',
  paras: updateShardDegradeConfParas,
  example: { cluster_id: '1', shard_id: '1', conf_degrade_state: 'ON', conf_degrade_time: '25' },
  changes: true,
  async answer({ catalog }, paras, signal) {
    const { conf_degrade_state: state, conf_degrade_time: seconds } = paras;
    await catalog.database.write(async (sql) => {
      const cluster = await requireCluster(catalog, sql, paras.cluster_id);
      const shard = await requireShard(catalog, sql, { cluster, id: paras.shard_id });
      if (cluster.haMode !== 'rbr') {
        throw violationsError([
          {
            field: 'paras.cluster_id',
            value: String(paras.cluster_id),
            rule: `must be a cluster with ha_mode rbr: commits of ${cluster.name} (${cluster.haMode}) do not wait for acknowledgements`,
            code: 70_005,
          },
        ]);
      }
      const before = shard.degrade.afterSeconds === 0 ? defaultSeconds : shard.degrade.afterSeconds;
      await catalog.shards.setDegradeSetting(sql, shard.id, {
        enabled: state === 'ON',
        afterSeconds: seconds ?? before,
      });
    }, signal);
    return {};
  },
});
