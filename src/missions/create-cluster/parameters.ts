import Type from 'typebox';
import { haModes } from '../../core/model.ts';
import { addressList, choice, count, flag, integer, text } from '../../core/parameters/fields.ts';

const mebibytesMaximum = 16 * 1024 * 1024;

/** `paras` of create_cluster. Codes: the wire numbers that clients know for each rule. */
export const createClusterParas = Type.Object({
  nick_name: Type.Optional(
    text({
      description: 'Business name, any text. Default: the generated cluster name.',
      maxLength: 120,
      codes: { invalid: 70_005 },
      example: 'orders',
    }),
  ),
  ha_mode: choice(haModes, {
    description:
      'no_rep: one node per shard. rbr: replication with lossless semi-sync. mgr: group replication.',
    codes: { invalid: 70_071 },
    example: 'rbr',
  }),
  shards: count({
    description: 'Number of shards.',
    codes: { invalid: 70_072, range: 70_073 },
    example: '1',
  }),
  nodes: count({
    description: 'Storage nodes per shard: exactly 1 with no_rep, at least 3 with rbr and mgr.',
    codes: { invalid: 70_074, range: 70_075 },
    example: '3',
  }),
  comps: count({
    description: 'Number of compute nodes.',
    codes: { invalid: 70_076, range: 70_077 },
    example: '1',
  }),
  max_storage_size: Type.Optional(
    integer({
      description: 'Largest size of a storage node, GiB; recorded for consoles.',
      minimum: 0,
      maximum: 1_000_000,
      codes: { invalid: 70_078 },
      example: '20',
    }),
  ),
  max_connections: Type.Optional(
    integer({
      description: 'Client connections per compute node.',
      minimum: 1,
      maximum: 10_000,
      codes: { invalid: 70_079 },
      example: '100',
    }),
  ),
  cpu_cores: Type.Optional(
    integer({
      description: 'CPU cores each node may use. Default: no limit.',
      minimum: 1,
      maximum: 1024,
      codes: { invalid: 70_080 },
      example: '8',
    }),
  ),
  cpu_limit_mode: Type.Optional(
    choice(['quota', 'share'], {
      description:
        'quota: cpu_cores is an upper bound; share: a weight that counts when the machine is busy. Default: quota.',
      codes: { invalid: 70_005 },
      example: 'quota',
    }),
  ),
  cpu_limit_node: Type.Optional(
    choice(['quota', 'share'], {
      description: 'Older name of cpu_limit_mode.',
      codes: { invalid: 70_005 },
    }),
  ),
  innodb_size: Type.Optional(
    integer({
      description: 'InnoDB buffer pool of a storage node, MiB. Default: that of the memory profile.',
      minimum: 1,
      maximum: mebibytesMaximum,
      codes: { invalid: 70_081, range: 70_082 },
      example: '1024',
    }),
  ),
  rocksdb_block_cache_size_M: Type.Optional(
    integer({
      description:
        'RocksDB block cache, MiB; accepted, and reported as not applicable: MySQL has no RocksDB.',
      minimum: 0,
      maximum: mebibytesMaximum,
      codes: { invalid: 70_005 },
    }),
  ),
  dbcfg: Type.Optional(
    flag({
      description: '1: small-memory profile (at most 250 MiB resident per storage node). Default: 0.',
      codes: { invalid: 70_005 },
      example: '1',
    }),
  ),
  fullsync_level: Type.Optional(
    integer({
      description:
        'Replicas that must have received a transaction before its commit returns (rbr); 1 to nodes - 1. Default: 1.',
      minimum: 0,
      maximum: 255,
      codes: { invalid: 70_175 },
      example: '1',
    }),
  ),
  storage_iplists: Type.Optional(
    addressList({
      description: 'Machines for the storage nodes. Default: all running storage machines.',
      codes: { invalid: 70_181 },
    }),
  ),
  computer_iplists: Type.Optional(
    addressList({
      description: 'Machines for the compute nodes. Default: all running computer machines.',
      codes: { invalid: 70_182 },
    }),
  ),
  computer_user: Type.Optional(
    text({
      description: 'Role that applications use on the compute nodes. Default: abc.',
      maxLength: 63,
      pattern: '^(?!pg_|kluster)[A-Za-z_][A-Za-z0-9_]*$',
      patternRule: 'must be letters, digits and _, must not begin with a digit, pg_ or kluster',
      codes: { invalid: 70_005 },
      example: 'abc',
    }),
  ),
  computer_password: Type.Optional(
    text({
      description: 'Password of computer_user. Default: a generated one (see `kluster url`).',
      minLength: 1,
      maxLength: 120,
      pattern: '^[\\x20-\\x7e]+$',
      patternRule: 'must be printable ASCII',
      codes: { invalid: 70_005 },
      secret: true,
    }),
  ),
  install_proxysql: Type.Optional(
    flag({
      description: 'Must be 0: ProxySQL is not offered.',
      codes: { invalid: 70_005 },
      example: '0',
    }),
  ),
  data_storage_MB: Type.Optional(
    integer({
      description: 'Disk space expected for the data of a storage node, MiB; checked against the machines.',
      minimum: 0,
      maximum: mebibytesMaximum,
      codes: { invalid: 70_005 },
    }),
  ),
  log_storage_MB: Type.Optional(
    integer({
      description: 'Disk space expected for the logs of a storage node, MiB; checked against the machines.',
      minimum: 0,
      maximum: mebibytesMaximum,
      codes: { invalid: 70_005 },
    }),
  ),
  conf_degrade_state: Type.Optional(
    choice(['ON', 'OFF'], {
      description: 'Whether writes go on with fewer acknowledgements when replicas are lost. Default: OFF.',
      codes: { invalid: 70_005 },
    }),
  ),
  conf_degrade_time: Type.Optional(
    integer({
      description: 'Seconds without acknowledgements before degrading.',
      minimum: 5,
      maximum: 500,
      codes: { invalid: 70_005 },
    }),
  ),
});

export type CreateClusterParas = Type.Static<typeof createClusterParas>;

export const createClusterExample = {
  nick_name: 'my_nick_name',
  ha_mode: 'mgr',
  shards: '1',
  nodes: '3',
  comps: '1',
  max_storage_size: '20',
  max_connections: '6',
  cpu_cores: '8',
  innodb_size: '1024',
  rocksdb_block_cache_size_M: '1024',
  dbcfg: '1',
  fullsync_level: '1',
  install_proxysql: '0',
  storage_iplists: ['192.168.0.2', '192.168.0.3'],
  computer_iplists: ['192.168.0.1'],
};
