import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { deleteNodeAttachment } from './attachment.ts';
import { deleteNodeExample, deleteNodeParas } from './parameters.ts';
import { deleteNodePlan } from './plan.ts';
import { deleteNodeRules, prepareDeleteNode } from './prepare.ts';
import { deleteNodePrepared } from './prepared.ts';

export const deleteNode = defineMission<Services>()({
  jobType: 'delete_node',
  aliases: ['delete_nodes'],
  summary: 'Delete a replica from a shard; never more than its commits can do without',
  paras: deleteNodeParas,
  prepared: deleteNodePrepared,
  example: deleteNodeExample,
  doneText: 'delete node successfully',
  admit: (services, paras) => admitChange(services, deleteNodeRules(services, paras)),
  prepare: prepareDeleteNode,
  plan: (_, prepared) => deleteNodePlan(prepared),
  attachment: deleteNodeAttachment,
});
