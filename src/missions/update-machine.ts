import Type from 'typebox';
import { machineTypes, type MachineProperties } from '../catalog/machines.ts';
import { KlusterError, type Violation } from '../core/errors/kluster-error.ts';
import type { Machine, MachineType, PortRange } from '../core/model.ts';
import { choice } from '../core/parameters/fields.ts';
import { shownValue } from '../core/parameters/parse.ts';
import { defineMission } from '../jobs/mission.ts';
import { serial, type Step } from '../jobs/plan.ts';
import type { Services } from '../jobs/services.ts';
import { machineLock, machinesOf } from './machine/catalog.ts';
import {
  hostaddr,
  machineTypeDescription,
  measured,
  paths,
  portRange,
  rackId,
} from './machine/parameters.ts';
import { portRangeViolations, requestedRange } from './machine/port-range.ts';
import { measuredNumber, pathList } from './machine/rules.ts';
import { measureSpace } from './machine/survey.ts';

/** Everything but the host is optional: clients differ in what they send. */
const updateMachineParas = Type.Object({
  hostaddr: hostaddr({ invalid: 70_052 }),
  machine_type: Type.Optional(
    choice(machineTypes, {
      description: `${machineTypeDescription} Default: every type the host has.`,
      codes: { invalid: 70_051 },
      example: 'storage',
    }),
  ),
  port_range: Type.Optional(portRange()),
  rack_id: Type.Optional(rackId()),
  datadir: Type.Optional(paths('Data directories of new storage nodes', 70_054)),
  logdir: Type.Optional(paths('Binary log directories of new storage nodes', 70_055)),
  wal_log_dir: Type.Optional(paths('Redo log directories of new storage nodes', 70_056)),
  comp_datadir: Type.Optional(paths('Data directories of new compute nodes', 70_061)),
  total_mem: Type.Optional(measured('Memory that nodes may use, MiB', 70_057)),
  total_cpu_cores: Type.Optional(measured('Logical CPU cores that nodes may use', 70_058)),
});

type UpdateMachineParas = Type.Static<typeof updateMachineParas>;

const textList = Type.Array(Type.String());

/** A machine before the change, to which undo returns. */
const formerMachine = Type.Object({
  machineType: Type.Unsafe<MachineType>({ type: 'string', enum: [...machineTypes] }),
  agentPort: Type.Integer(),
  rackId: Type.String(),
  portRange: Type.Object({ first: Type.Integer(), last: Type.Integer() }),
  datadir: textList,
  logdir: textList,
  walLogDir: textList,
  compDatadir: textList,
  totalMemoryMb: Type.Integer(),
  totalCpuCores: Type.Integer(),
});

const prepared = Type.Object({ before: Type.Array(formerMachine) });

type FormerMachine = Type.Static<typeof formerMachine>;

/** Changes what is known of a machine. Nodes that live on it keep their ports and directories. */
export const updateMachine = defineMission<Services>()({
  jobType: 'update_machine',
  aliases: [],
  summary: 'Change what is known of a machine',
  paras: updateMachineParas,
  prepared,
  example: {
    hostaddr: '192.168.0.135',
    machine_type: 'storage',
    port_range: '51400-51600',
    datadir: '/home/play_ground/run_data',
    logdir: '/home/play_ground/run_data',
    wal_log_dir: '/home/play_ground/run_data',
    total_mem: '8192',
    total_cpu_cores: '8',
  },
  doneText: 'update machine successfully',

  async admit(services, paras) {
    const machines = await machinesOf(services, paras.hostaddr);
    const [first, ...rest] = await rangeViolations(services, paras, machines);
    if (first !== undefined) return { admitted: false, violations: [first, ...rest] };
    return { admitted: true, locks: [machineLock(paras.hostaddr)] };
  },

  async prepare({ services }, paras) {
    const machines = await machinesOf(services, paras.hostaddr);
    const [broken] = await rangeViolations(services, paras, machines);
    if (broken !== undefined) {
      throw new KlusterError('invalid_parameters', `${broken.field} ${broken.rule}`, { code: broken.code });
    }
    return { before: chosenOf(paras, machines).map(formerOf) };
  },

  plan: (paras, { before }) =>
    serial(
      'update_machine',
      `change ${paras.hostaddr}`,
      before.map((former) => updateStep(paras, former)),
    ),

  attachment: () => ({}),
});

function formerOf(machine: Machine): FormerMachine {
  return {
    machineType: machine.machineType,
    agentPort: machine.agentPort,
    rackId: machine.rackId,
    portRange: { ...machine.portRange },
    datadir: [...machine.datadir],
    logdir: [...machine.logdir],
    walLogDir: [...machine.walLogDir],
    compDatadir: [...machine.compDatadir],
    totalMemoryMb: machine.totalMemoryMb,
    totalCpuCores: machine.totalCpuCores,
  };
}

/** @throws KlusterError machine_not_found */
function chosenOf(paras: UpdateMachineParas, machines: readonly Machine[]): readonly Machine[] {
  const { hostaddr: address, machine_type: type } = paras;
  const chosen = machines.filter((machine) => type === undefined || machine.machineType === type);
  if (chosen.length > 0) return chosen;
  const what = type === undefined ? 'registered' : `registered as ${type} machine`;
  throw new KlusterError('machine_not_found', `${address} is not ${what}`);
}

/** A range belongs to one type, keeps clear of the other's, and keeps the ports that are in use. */
async function rangeViolations(
  services: Services,
  paras: UpdateMachineParas,
  machines: readonly Machine[],
): Promise<readonly Violation[]> {
  const [machine, second] = chosenOf(paras, machines);
  if (paras.port_range === undefined || machine === undefined) return [];
  if (second !== undefined) {
    const rule = 'needs machine_type, because the host is both storage and computer machine';
    return [{ field: 'paras.port_range', value: shownValue(paras.port_range), rule, code: 70_050 }];
  }
  const range = requestedRange(paras.port_range, machine.machineType);
  return [
    ...portRangeViolations(range, machine.machineType, machines),
    ...(await portsLeftOut(services, machine, range)),
  ];
}

async function portsLeftOut(
  services: Services,
  machine: Machine,
  range: PortRange,
): Promise<readonly Violation[]> {
  const { database, ports } = services.catalog;
  const reservations = await database.read((sql) => ports.list(sql, machine.hostaddr));
  const outside = reservations
    .filter((reservation) => reservation.machineType === machine.machineType)
    .filter(({ firstPort, stride }) => firstPort < range.first || firstPort + stride - 1 > range.last);
  if (outside.length === 0) return [];
  const used = outside.map(({ firstPort, owner }) => `${String(firstPort)} (${owner})`).join(', ');
  return [
    {
      field: 'paras.port_range',
      value: shownValue(`${String(range.first)}-${String(range.last)}`),
      rule: `must contain the ports in use: ${used}`,
      code: 70_005,
    },
  ];
}

/** What the request says, over what was. Only lists and numbers that were given count. */
function afterChange(paras: UpdateMachineParas, former: FormerMachine): MachineProperties {
  const paths = (text: string | undefined, before: readonly string[]): readonly string[] => {
    const given = pathList(text);
    return given.length === 0 ? before : given;
  };
  return {
    rackId: paras.rack_id ?? former.rackId,
    portRange:
      paras.port_range === undefined
        ? former.portRange
        : requestedRange(paras.port_range, former.machineType),
    datadir: paths(paras.datadir, former.datadir),
    logdir: paths(paras.logdir, former.logdir),
    walLogDir: paths(paras.wal_log_dir, former.walLogDir),
    compDatadir: paths(paras.comp_datadir, former.compDatadir),
    totalMemoryMb: measuredNumber(paras.total_mem) || former.totalMemoryMb,
    totalCpuCores: measuredNumber(paras.total_cpu_cores) || former.totalCpuCores,
  };
}

function updateStep(paras: UpdateMachineParas, former: FormerMachine): Step<Services> {
  const key = { hostaddr: paras.hostaddr, machineType: former.machineType };
  return {
    kind: 'step',
    key: former.machineType,
    title: `change ${key.machineType} machine ${key.hostaddr}, and read the space of its directories`,
    deadlineMs: 20_000,
    async run({ services, signal }) {
      const changed = afterChange(paras, former);
      const agent = services.agents.at({ hostaddr: key.hostaddr, port: former.agentPort });
      const space = await measureSpace(agent, changed, signal);
      const { database, machines } = services.catalog;
      await database.write(async (sql) => {
        await machines.update(sql, key, changed);
        const machine = await machines.find(sql, key);
        if (machine !== undefined) await machines.recordSpace(sql, machine.id, space);
      }, signal);
      return null;
    },
    async undo({ services, signal }) {
      const { database, machines } = services.catalog;
      const { machineType: _, agentPort: __, ...properties } = former;
      await database.write((sql) => machines.update(sql, key, properties), signal);
    },
  };
}
