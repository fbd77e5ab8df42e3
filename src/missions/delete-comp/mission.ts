import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { deleteCompAttachment } from './attachment.ts';
import { deleteCompParas } from './parameters.ts';
import { deleteCompPlan } from './plan.ts';
import { deleteCompRules, prepareDeleteComp } from './prepare.ts';
import { deleteCompPrepared } from './prepared.ts';

export const deleteComp = defineMission<Services>()({
  jobType: 'delete_comp',
  aliases: ['delete_comps'],
  summary: 'Delete a compute node from a cluster',
  paras: deleteCompParas,
  prepared: deleteCompPrepared,
  example: { cluster_id: '1', comp_id: '1' },
  doneText: 'delete comp successfully',
  admit: (services, paras) => admitChange(services, deleteCompRules(paras)),
  prepare: prepareDeleteComp,
  plan: (_, prepared) => deleteCompPlan(prepared),
  attachment: deleteCompAttachment,
});
