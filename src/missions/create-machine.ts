import Type from 'typebox';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { Machine, MachineType } from '../core/model.ts';
import { defineMission } from '../jobs/mission.ts';
import { serial, type Step, type StepContext } from '../jobs/plan.ts';
import type { Services } from '../jobs/services.ts';
import { agentAt, machineLock, machinesOf } from './machine/catalog.ts';
import {
  createMachineExample,
  createMachineParas,
  type CreateMachineParas,
} from './machine/create-machine-paras.ts';
import { portRangeViolations, requestedRange } from './machine/port-range.ts';
import { measuredNumber, missingDirectories, pathList } from './machine/rules.ts';
import { askHealth, measureCapacity, measureSpace, type MachineDirectories } from './machine/survey.ts';

const use = Type.Object({ usedMb: Type.Number(), availableMb: Type.Number() });

/** What the agent told: stored, so that a repeated registration writes the same. */
const survey = Type.Object({
  agentPort: Type.Integer(),
  totalMemoryMb: Type.Integer(),
  totalCpuCores: Type.Integer(),
  space: Type.Object({ datadir: use, logdir: use, walLogDir: use, compDatadir: use }),
});

/** Registers a host as storage or computer machine, after its agent has shown that it can serve as one. */
export const createMachine = defineMission<Services>()({
  jobType: 'create_machine',
  aliases: [],
  summary: 'Register a machine',
  paras: createMachineParas,
  prepared: Type.Object({}),
  example: createMachineExample,
  doneText: 'create machine successfully',

  async admit(services, paras) {
    const machines = await machinesOf(services, paras.hostaddr);
    refuseExisting(machines, paras);
    const range = requestedRange(paras.port_range, paras.machine_type);
    const [first, ...rest] = [
      ...missingDirectories(paras.machine_type, paras),
      ...portRangeViolations(range, paras.machine_type, machines),
    ];
    if (first !== undefined) return { admitted: false, violations: [first, ...rest] };
    return { admitted: true, locks: [machineLock(paras.hostaddr)] };
  },

  /** Under the machine's lock: a job that waited finds what the one before it did. */
  async prepare({ services }, paras) {
    const machines = await machinesOf(services, paras.hostaddr);
    refuseExisting(machines, paras);
    const range = requestedRange(paras.port_range, paras.machine_type);
    const [overlap] = portRangeViolations(range, paras.machine_type, machines);
    if (overlap !== undefined) {
      throw new KlusterError('invalid_parameters', `${overlap.field}: ${overlap.rule}`, {
        code: overlap.code,
      });
    }
    return {};
  },

  plan: (paras) =>
    serial('create_machine', `register ${paras.hostaddr} as ${paras.machine_type} machine`, [
      surveyStep(paras),
      registerStep(paras),
    ]),

  attachment: () => ({}),
});

function refuseExisting(
  machines: readonly Machine[],
  wanted: { readonly hostaddr: string; readonly machine_type: MachineType },
): void {
  const { hostaddr, machine_type: type } = wanted;
  if (machines.some((machine) => machine.machineType === type)) {
    throw new KlusterError('machine_exists', `${hostaddr} is registered as ${type} machine already`);
  }
}

function directoriesOf(paras: CreateMachineParas): MachineDirectories {
  return {
    datadir: pathList(paras.datadir),
    logdir: pathList(paras.logdir),
    walLogDir: pathList(paras.wal_log_dir),
    compDatadir: pathList(paras.comp_datadir),
  };
}

const surveyPath = 'create_machine/survey';

function surveyStep(paras: CreateMachineParas): Step<Services> {
  return {
    kind: 'step',
    key: 'survey',
    title: `ask the agent of ${paras.hostaddr} for its engine, directories and capacity`,
    deadlineMs: 20_000,
    async run({ services, signal }) {
      // At each attempt: an agent that has just started may report another port than the usual one.
      const address = await agentAt(services, paras.hostaddr);
      const agent = services.agents.at(address);
      await askHealth(agent, paras.machine_type, signal);
      const space = await measureSpace(agent, directoriesOf(paras), signal);
      const capacity = await measureCapacity(
        agent,
        {
          totalMemoryMb: measuredNumber(paras.total_mem),
          totalCpuCores: measuredNumber(paras.total_cpu_cores),
        },
        signal,
      );
      const seen: Type.Static<typeof survey> = { agentPort: address.port, ...capacity, space };
      return seen;
    },
  };
}

function registerStep(paras: CreateMachineParas): Step<Services> {
  const { hostaddr, machine_type: machineType } = paras;
  return {
    kind: 'step',
    key: 'register',
    title: `record ${hostaddr} as ${machineType} machine`,
    deadlineMs: 20_000,
    async run(context) {
      await register(context, paras);
      return null;
    },
    async undo({ services, signal }) {
      const { database, machines } = services.catalog;
      await database.write(async (sql) => {
        const machine = await machines.find(sql, { hostaddr, machineType });
        if (machine !== undefined) await machines.remove(sql, { hostaddr, machineType });
      }, signal);
    },
  };
}

/** A row that is there already is this step's own: prepare saw none, and the machine is locked since then. */
async function register(context: StepContext<Services>, paras: CreateMachineParas): Promise<void> {
  const { database, machines } = context.services.catalog;
  const { agentPort, totalMemoryMb, totalCpuCores, space } = context.outputOf(surveyPath, survey);
  const key = { hostaddr: paras.hostaddr, machineType: paras.machine_type };
  await database.write(async (sql) => {
    const existing = await machines.find(sql, key);
    const id =
      existing?.id ??
      (await machines.insert(sql, {
        ...key,
        agentPort,
        rackId: paras.rack_id,
        portRange: requestedRange(paras.port_range, paras.machine_type),
        ...directoriesOf(paras),
        totalMemoryMb,
        totalCpuCores,
      }));
    await machines.recordSpace(sql, id, space);
  }, context.signal);
}
