import Type from 'typebox';
import { integer } from '../../core/parameters/fields.ts';

/** `paras` of delete_shard. Codes: the wire numbers that clients know for each rule. */
export const deleteShardParas = Type.Object({
  cluster_id: integer({
    description: 'Id of the cluster.',
    minimum: 1,
    maximum: 4_294_967_295,
    codes: { invalid: 70_139 },
    example: '1',
  }),
  shard_id: integer({
    description: 'Id of the shard; it may hold no tables, and may not be the only one.',
    minimum: 1,
    maximum: 4_294_967_295,
    codes: { invalid: 70_140 },
    example: '2',
  }),
});

export type DeleteShardParas = Type.Static<typeof deleteShardParas>;
