import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { machineViolations } from '../topology/machine-violations.ts';
import { addNodesAttachment } from './attachment.ts';
import { addNodesExample, addNodesParas } from './parameters.ts';
import { addNodesPlan } from './plan.ts';
import { addNodesRules, prepareAddNodes } from './prepare.ts';
import { addNodesPrepared } from './prepared.ts';

export const addNodes = defineMission<Services>()({
  jobType: 'add_nodes',
  aliases: ['add_node'],
  summary: 'Add nodes to one shard, or to every shard of a cluster: all of them, or none',
  paras: addNodesParas,
  prepared: addNodesPrepared,
  example: addNodesExample,
  doneText: 'add new nodes successfully',
  async admit(services, paras) {
    const { storage_iplists: addresses } = paras;
    const field = 'storage_iplists';
    const others = await machineViolations(services, [
      { machineType: 'storage', field, addresses, code: 70_183 },
    ]);
    return admitChange(services, { ...addNodesRules(services, paras), others });
  },
  // Two that decide at the same moment would promise the same memory twice.
  preparesUnder: 'placement',
  prepare: prepareAddNodes,
  plan: (_, prepared) => addNodesPlan(prepared),
  attachment: addNodesAttachment,
});
