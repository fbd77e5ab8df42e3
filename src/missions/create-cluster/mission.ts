import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { machineViolations, type AddressList } from '../topology/machine-violations.ts';
import { createClusterAttachment } from './attachment.ts';
import { createClusterExample, createClusterParas, type CreateClusterParas } from './parameters.ts';
import { createClusterPlan } from './plan.ts';
import { prepareCreateCluster } from './prepare.ts';
import { createClusterPrepared } from './prepared.ts';
import { crossFieldViolations } from './rules.ts';

export const createCluster = defineMission<Services>()({
  jobType: 'create_cluster',
  aliases: [],
  summary: 'Create a cluster: shards of replicated storage nodes, and compute nodes that serve SQL over them',
  paras: createClusterParas,
  prepared: createClusterPrepared,
  example: createClusterExample,
  doneText: 'create cluster successfully',
  async admit(services, paras) {
    const [first, ...rest] = [
      ...crossFieldViolations(paras),
      ...(await machineViolations(services, addressLists(paras))),
    ];
    // A new cluster has no id yet that could be locked; jobs on it are refused until it is made (`clustersInTheMaking`).
    return first === undefined
      ? { admitted: true, locks: [] }
      : { admitted: false, violations: [first, ...rest] };
  },
  // Two that decide at the same moment would promise the same memory twice.
  preparesUnder: 'placement',
  prepare: prepareCreateCluster,
  plan: createClusterPlan,
  attachment: createClusterAttachment,
});

function addressLists(paras: CreateClusterParas): readonly AddressList[] {
  return [
    {
      machineType: 'storage',
      field: 'storage_iplists',
      addresses: paras.storage_iplists,
      code: 70_181,
    },
    {
      machineType: 'computer',
      field: 'computer_iplists',
      addresses: paras.computer_iplists,
      code: 70_182,
    },
  ];
}
