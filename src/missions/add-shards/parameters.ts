import Type from 'typebox';
import { addressList, integer } from '../../core/parameters/fields.ts';

/** `paras` of add_shards. Codes: the wire numbers that clients know for each rule. */
export const addShardsParas = Type.Object({
  cluster_id: integer({
    description: 'Id of the cluster.',
    minimum: 1,
    maximum: 4_294_967_295,
    codes: { invalid: 70_119 },
    example: '1',
  }),
  shards: integer({
    description: 'Number of new shards.',
    minimum: 1,
    maximum: 256,
    codes: { invalid: 70_120, range: 70_121 },
    example: '1',
  }),
  nodes: integer({
    description:
      'Storage nodes of each new shard: exactly 1 when the cluster is no_rep, at least 3 when it is rbr or mgr.',
    minimum: 1,
    maximum: 256,
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
