import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { deleteShardAttachment } from './attachment.ts';
import { deleteShardParas } from './parameters.ts';
import { deleteShardPlan } from './plan.ts';
import { deleteShardRules, prepareDeleteShard } from './prepare.ts';
import { deleteShardPrepared } from './prepared.ts';

export const deleteShard = defineMission<Services>()({
  jobType: 'delete_shard',
  aliases: ['delete_shards'],
  summary: 'Delete a shard that holds no tables from a cluster',
  paras: deleteShardParas,
  prepared: deleteShardPrepared,
  example: { cluster_id: '1', shard_id: '1' },
  doneText: 'delete shard successfully',
  admit: (services, paras) => admitChange(services, deleteShardRules(paras)),
  prepare: prepareDeleteShard,
  plan: (_, prepared) => deleteShardPlan(prepared),
  attachment: deleteShardAttachment,
});
