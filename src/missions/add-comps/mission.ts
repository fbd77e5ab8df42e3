import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { machineViolations } from '../topology/machine-violations.ts';
import { addCompsAttachment } from './attachment.ts';
import { addCompsExample, addCompsParas } from './parameters.ts';
import { addCompsPlan } from './plan.ts';
import { addCompsRules, prepareAddComps } from './prepare.ts';
import { addCompsPrepared } from './prepared.ts';

export const addComps = defineMission<Services>()({
  jobType: 'add_comps',
  aliases: ['add_comp'],
  summary: 'Add compute nodes to a cluster',
  paras: addCompsParas,
  prepared: addCompsPrepared,
  example: addCompsExample,
  doneText: 'add comps successfully',
  async admit(services, paras) {
    const { computer_iplists: addresses } = paras;
    const field = 'computer_iplists';
    const others = await machineViolations(services, [
      { machineType: 'computer', field, addresses, code: 70_185 },
    ]);
    return admitChange(services, { ...addCompsRules(paras), others });
  },
  // Two that decide at the same moment would promise the same memory twice.
  preparesUnder: 'placement',
  prepare: prepareAddComps,
  plan: (_, prepared) => addCompsPlan(prepared),
  attachment: addCompsAttachment,
});
