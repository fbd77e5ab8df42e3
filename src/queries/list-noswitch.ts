import Type from 'typebox';
import { text } from '../core/parameters/fields.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';

const listNoswitchParas = Type.Object({
  cluster_id: Type.Optional(
    text({
      description: 'Id of the cluster, or `all`. Default: all.',
      maxLength: 10,
      pattern: '^([Aa][Ll][Ll]|[1-9][0-9]{0,9})$',
      patternRule: 'must be the id of a cluster, or all',
      codes: { invalid: 70_025 },
      example: 'all',
    }),
  ),
});

/** Where automatic failover is suspended. Consoles show `timestamp`, in seconds, as a date. */
export const listNoswitch = defineImmediateJob<Services>()({
  jobType: 'list_noswitch',
  aliases: [],
  summary: 'List where automatic failover is forbidden, and until when',
  paras: listNoswitchParas,
  example: { cluster_id: 'all' },
  changes: false,
  async answer({ catalog }, { cluster_id: cluster = 'all' }, signal) {
    const one = cluster.toLowerCase() === 'all' ? null : Number(cluster);
    const suspensions = await catalog.database.read((sql) => catalog.noSwitches.list(sql, one), signal);
    return {
      value: suspensions.map(({ clusterId, shardId, expires }) => ({
        cluster_id: clusterId === null ? 'all' : String(clusterId),
        ...(shardId === null ? {} : { shard_id: String(shardId) }),
        param: { timestamp: Math.floor(expires.getTime() / 1000) },
      })),
    };
  },
});
