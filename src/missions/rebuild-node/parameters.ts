import Type from 'typebox';
import { flag, hostAddress, identifier, integer, port, text } from '../../core/parameters/fields.ts';

const rebuiltNode = Type.Object({
  hostaddr: hostAddress({
    description: 'Address of the node.',
    codes: { invalid: 70_037 },
    example: '192.168.0.125',
  }),
  port: port({ description: 'Port of the node.', codes: { invalid: 70_038 }, example: '57001' }),
  need_backup: Type.Optional(
    flag({
      description: 'Must be 0: there is no backup storage yet that the old data could be kept in.',
      codes: { invalid: 70_039 },
      example: '0',
    }),
  ),
  hdfs_host: Type.Optional(
    text({
      description: 'Where a backup would go; ignored without need_backup.',
      maxLength: 255,
      codes: { invalid: 70_039 },
      example: 'hdfs',
    }),
  ),
  pv_limit: Type.Optional(
    integer({
      description: 'Most that the copy may transfer, MB/s. Default: 0, no limit.',
      minimum: 0,
      maximum: 1_048_576,
      codes: { invalid: 70_005 },
      example: '10',
    }),
  ),
});

/** `paras` of rebuild_node. */
export const rebuildNodeParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_025 },
  }),
  shard_id: identifier({
    description: 'Id of the shard.',
    codes: { invalid: 70_024 },
  }),
  rb_nodes: Type.Array(rebuiltNode, {
    description: 'The replicas to be rebuilt.',
    maxItems: 256,
    'x-kluster': { codes: { invalid: 70_036 }, secret: false },
  }),
  allow_pull_from_master: Type.Optional(
    flag({
      description: 'Whether to copy from the primary when no replica is suited. Default: 0.',
      codes: { invalid: 70_005 },
      example: '1',
    }),
  ),
  allow_replica_delay: Type.Optional(
    integer({
      description: 'Seconds that a replica may be behind to be copied from. Default: 30.',
      minimum: 0,
      maximum: 86_400,
      codes: { invalid: 70_005 },
      example: '15',
    }),
  ),
  discard_unsaved: Type.Optional(
    flag({
      description:
        'Whether to go on when a node has transactions that its primary lacks and that are in no log any more, so that they cannot be saved. Default: 0.',
      codes: { invalid: 70_005 },
      example: '0',
    }),
  ),
});

export type RebuildNodeParas = Type.Static<typeof rebuildNodeParas>;

export const rebuildNodeExample = {
  shard_id: '1',
  cluster_id: '1',
  rb_nodes: [
    { hostaddr: '192.168.0.125', port: '57001', need_backup: '0', hdfs_host: 'hdfs', pv_limit: '10' },
  ],
  allow_pull_from_master: '1',
  allow_replica_delay: '15',
};

export const defaultReplicaDelay = 30;
