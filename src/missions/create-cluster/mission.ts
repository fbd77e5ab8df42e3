import type { Violation } from '../../core/errors/kluster-error.ts';
import type { MachineType } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
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
    const [first, ...rest] = [...crossFieldViolations(paras), ...(await unknownMachines(services, paras))];
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

/** Every address given must be a running machine of the right type. */
async function unknownMachines(services: Services, paras: CreateClusterParas): Promise<readonly Violation[]> {
  const { catalog } = services;
  const machines = await catalog.database.read((sql) => catalog.machines.list(sql));
  const check = (machineType: MachineType, field: string, addresses: readonly string[], code: number) =>
    addresses.flatMap((address, index): readonly Violation[] => {
      const machine = machines.find(
        (known) => known.hostaddr === address && known.machineType === machineType,
      );
      if (machine?.state === 'running') return [];
      const rule =
        machine === undefined
          ? `must be a registered ${machineType} machine`
          : `must be running, but set_machine made it ${machine.state}`;
      return [{ field: `paras.${field}[${String(index)}]`, value: shownValue(address), rule, code }];
    });
  return [
    ...check('storage', 'storage_iplists', paras.storage_iplists ?? [], 70_181),
    ...check('computer', 'computer_iplists', paras.computer_iplists ?? [], 70_182),
  ];
}
