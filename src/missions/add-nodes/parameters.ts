import Type from 'typebox';
import { addressList, count, identifier } from '../../core/parameters/fields.ts';

/** `paras` of add_nodes. */
export const addNodesParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_154 },
  }),
  shard_id: Type.Optional(
    identifier({
      description: 'Id of the shard that gets the nodes. Default: every shard.',
      codes: { invalid: 70_161 },
    }),
  ),
  nodes: count({
    description: 'Number of new nodes, of each shard.',
    codes: { invalid: 70_155, range: 70_156 },
    example: '2',
  }),
  storage_iplists: Type.Optional(
    addressList({
      description: 'Machines for the nodes. Default: all running storage machines.',
      codes: { invalid: 70_183 },
    }),
  ),
});

export type AddNodesParas = Type.Static<typeof addNodesParas>;

export const addNodesExample = {
  cluster_id: '1',
  shard_id: '1',
  nodes: '2',
  storage_iplists: ['192.168.0.2', '192.168.0.3'],
};
