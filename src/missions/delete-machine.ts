import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { choice } from '../core/parameters/fields.ts';
import { defineMission } from '../jobs/mission.ts';
import { pointOfNoReturn, serial, type Step } from '../jobs/plan.ts';
import type { Services } from '../jobs/services.ts';
import { machineLock, machinesOf } from './machine/catalog.ts';
import { hostaddr, machineTypeDescription } from './machine/parameters.ts';

const deleteMachineParas = Type.Object({
  hostaddr: hostaddr({ invalid: 70_067 }),
  machine_type: choice(['storage', 'computer'], {
    description: machineTypeDescription,
    codes: { missing: 70_050, invalid: 70_051 },
    example: 'storage',
  }),
});

type DeleteMachineParas = Type.Static<typeof deleteMachineParas>;

/** Takes a machine out of the catalog. Refused while instances live on it. */
export const deleteMachine = defineMission<Services>()({
  jobType: 'delete_machine',
  aliases: [],
  summary: 'Remove a machine on which no nodes live',
  paras: deleteMachineParas,
  prepared: Type.Object({}),
  example: { hostaddr: '127.0.0.1', machine_type: 'storage' },
  doneText: 'delete machine successfully',

  async admit(services, paras) {
    await requireRegistered(services, paras);
    return { admitted: true, locks: [machineLock(paras.hostaddr)] };
  },

  async prepare({ services }, paras) {
    await requireRegistered(services, paras);
    return {};
  },

  plan: (paras) =>
    serial('delete_machine', `remove ${paras.hostaddr}`, [
      checkStep(paras),
      pointOfNoReturn,
      removeStep(paras),
    ]),

  attachment: () => ({}),
});

async function requireRegistered(services: Services, paras: DeleteMachineParas): Promise<void> {
  const { hostaddr: address, machine_type: type } = paras;
  const machines = await machinesOf(services, address);
  if (!machines.some((machine) => machine.machineType === type)) {
    throw new KlusterError('machine_not_found', `${address} is not registered as ${type} machine`);
  }
}

/** A refusal is the end of the job only before the point of no return. */
function checkStep(paras: DeleteMachineParas): Step<Services> {
  const key = { hostaddr: paras.hostaddr, machineType: paras.machine_type };
  return {
    kind: 'step',
    key: 'check',
    title: `see that nothing lives on ${key.machineType} machine ${key.hostaddr}`,
    deadlineMs: 20_000,
    async run({ services, signal }) {
      const { database, machines } = services.catalog;
      await database.write((sql) => machines.requireUnused(sql, key), signal);
      return null;
    },
  };
}

function removeStep(paras: DeleteMachineParas): Step<Services> {
  const key = { hostaddr: paras.hostaddr, machineType: paras.machine_type };
  return {
    kind: 'step',
    key: 'remove',
    title: `remove ${key.machineType} machine ${key.hostaddr} from the catalog`,
    deadlineMs: 20_000,
    async run({ services, signal }) {
      const { database, machines } = services.catalog;
      await database.write(async (sql) => {
        // Gone already: an earlier attempt of this step removed it.
        const machine = await machines.find(sql, key);
        if (machine !== undefined) await machines.remove(sql, key);
      }, signal);
      return null;
    },
  };
}
