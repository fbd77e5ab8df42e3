import Type from 'typebox';
import { machineStates } from '../catalog/machines.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { Machine, MachineState, MachineType } from '../core/model.ts';
import { choice } from '../core/parameters/fields.ts';
import { defineMission } from '../jobs/mission.ts';
import { serial, type Step } from '../jobs/plan.ts';
import type { Services } from '../jobs/services.ts';
import { machineLock, machinesOf } from './machine/catalog.ts';
import { hostaddr, machineTypeDescription } from './machine/parameters.ts';

const setMachineParas = Type.Object({
  hostaddr: hostaddr({ invalid: 70_052 }),
  machine_type: Type.Optional(
    choice(['storage', 'computer'], {
      description: `${machineTypeDescription} Default: every type the host has.`,
      codes: { invalid: 70_051 },
    }),
  ),
  node_stats: choice(machineStates, {
    description:
      'running: receives new nodes; idle, dead: receives none. Nodes that live on the machine are left alone.',
    codes: { invalid: 70_005 },
    example: 'running',
  }),
});

type SetMachineParas = Type.Static<typeof setMachineParas>;

const machineType = Type.Unsafe<MachineType>({ type: 'string' });
const machineState = Type.Unsafe<MachineState>({ type: 'string' });
const prepared = Type.Object({
  before: Type.Array(Type.Object({ machineType, state: machineState })),
});

type SetMachinePrepared = Type.Static<typeof prepared>;

/** Offers a machine for new nodes, or withholds it. */
export const setMachine = defineMission<Services>()({
  jobType: 'set_machine',
  aliases: [],
  summary: 'Offer a machine for new nodes, or withhold it',
  paras: setMachineParas,
  prepared,
  example: { hostaddr: '127.0.0.1', node_stats: 'running' },
  doneText: 'set machine success',

  async admit(services, paras) {
    await chosenMachines(services, paras);
    return { admitted: true, locks: [machineLock(paras.hostaddr)] };
  },

  async prepare({ services }, paras) {
    const machines = await chosenMachines(services, paras);
    return { before: machines.map(({ machineType: type, state }) => ({ machineType: type, state })) };
  },

  plan: (paras, { before }) =>
    serial('set_machine', `set ${paras.hostaddr} to ${paras.node_stats}`, [setStep(paras, before)]),

  attachment: () => ({}),
});

async function chosenMachines(services: Services, paras: SetMachineParas): Promise<readonly Machine[]> {
  const { hostaddr: address, machine_type: type } = paras;
  const machines = await machinesOf(services, address);
  const chosen = machines.filter((machine) => type === undefined || machine.machineType === type);
  if (chosen.length === 0) {
    const what = type === undefined ? 'registered' : `registered as ${type} machine`;
    throw new KlusterError('machine_not_found', `${address} is not ${what}`);
  }
  return chosen;
}

function setStep(paras: SetMachineParas, before: SetMachinePrepared['before']): Step<Services> {
  const { hostaddr: address, node_stats: state } = paras;
  return {
    kind: 'step',
    key: 'set',
    title: `record ${address} as ${state}`,
    deadlineMs: 20_000,
    async run({ services, signal }) {
      const { database, machines } = services.catalog;
      await database.write(async (sql) => {
        for (const { machineType: type } of before) {
          await machines.setState(sql, { hostaddr: address, machineType: type }, state);
        }
      }, signal);
      return null;
    },
    async undo({ services, signal }) {
      const { database, machines } = services.catalog;
      await database.write(async (sql) => {
        for (const { machineType: type, state: former } of before) {
          await machines.setState(sql, { hostaddr: address, machineType: type }, former);
        }
      }, signal);
    },
  };
}
