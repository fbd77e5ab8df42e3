import Type from 'typebox';
import { addressList, count, identifier } from '../../core/parameters/fields.ts';

/** `paras` of add_shards. Codes: the wire numbers that clients know for each rule. */
export const addShardsParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_119 },
  }),
  shards: count({
    description: 'Number of new shards.',
    codes: { invalid: 70_120, range: 70_121 },
    example: '1',
  }),
  nodes: count({
    description:
      'Storage nodes of each new shard: exactly 1 when the cluster is no_rep, at least 3 when it is rbr or mgr.',
    codes: { invalid: 70_122, range: 70_123 },
    example: '3',
  }),
  storage_iplists: Type.Optional(
    addressList({
      description: 'Machines for the storage nodes. Default: all running storage machines.',
      codes: { invalid: 70_184 },
    }),
  ),
});

export type AddShardsParas = Type.Static<typeof addShardsParas>;

export const addShardsExample = {
  cluster_id: '1',
  shards: '2',
  nodes: '3',
  storage_iplists: ['192.168.0.2', '192.168.0.3'],
};
