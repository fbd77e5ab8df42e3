import Type from 'typebox';
import { hostAddress, identifier, port } from '../../core/parameters/fields.ts';

/** `paras` of delete_node. */
export const deleteNodeParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_168 },
  }),
  shard_id: Type.Optional(
    identifier({
      description: 'Id of the shard of the node. Default: the shard that has a node at this address.',
      codes: { invalid: 70_169 },
    }),
  ),
  hostaddr: hostAddress({
    description: 'Address of the node.',
    codes: { invalid: 70_170 },
    example: '127.0.0.1',
  }),
  port: port({ description: 'Port of the node.', codes: { invalid: 70_171 }, example: '57338' }),
});

export type DeleteNodeParas = Type.Static<typeof deleteNodeParas>;

export const deleteNodeExample = { cluster_id: '1', shard_id: '1', hostaddr: '127.0.0.1', port: '57338' };
