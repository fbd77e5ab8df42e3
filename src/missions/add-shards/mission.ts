import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { machineViolations } from '../topology/machine-violations.ts';
import { addShardsAttachment } from './attachment.ts';
import { addShardsExample, addShardsParas } from './parameters.ts';
import { addShardsPlan } from './plan.ts';
import { addShardsRules, prepareAddShards } from './prepare.ts';
import { addShardsPrepared } from './prepared.ts';

export const addShards = defineMission<Services>()({
  jobType: 'add_shards',
  aliases: ['add_shard'],
  summary: 'Add shards to a cluster; every compute node learns them',
  paras: addShardsParas,
  prepared: addShardsPrepared,
  example: addShardsExample,
  doneText: 'add shards successfully',
  async admit(services, paras) {
    const { storage_iplists: addresses } = paras;
    const field = 'storage_iplists';
    const others = await machineViolations(services, [
      { machineType: 'storage', field, addresses, code: 70_184 },
    ]);
    return admitChange(services, { ...addShardsRules(paras), others });
  },
  // Two that decide at the same moment would promise the same memory twice.
  preparesUnder: 'placement',
  prepare: prepareAddShards,
  plan: (_, prepared) => addShardsPlan(prepared),
  attachment: addShardsAttachment,
});
