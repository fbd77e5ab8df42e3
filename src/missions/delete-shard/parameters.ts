import Type from 'typebox';
import { identifier } from '../../core/parameters/fields.ts';

/** `paras` of delete_shard. Codes: the wire numbers that clients know for each rule. */
export const deleteShardParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_139 },
  }),
  shard_id: identifier({
    description: 'Id of the shard; it may hold no tables, and may not be the only one.',
    codes: { invalid: 70_140 },
    example: '2',
  }),
});

export type DeleteShardParas = Type.Static<typeof deleteShardParas>;
