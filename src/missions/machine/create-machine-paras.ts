import Type from 'typebox';
import { choice } from '../../core/parameters/fields.ts';
import { hostaddr, machineTypeDescription, measured, paths, portRange, rackId } from './parameters.ts';

/** `paras` of create_machine. Which directories are required depends on the machine type: `rules.ts`. */
export const createMachineParas = Type.Object({
  hostaddr: hostaddr({ invalid: 70_052 }),
  machine_type: choice(['storage', 'computer'], {
    description: machineTypeDescription,
    codes: { missing: 70_050, invalid: 70_051 },
    example: 'storage',
  }),
  port_range: Type.Optional(portRange()),
  rack_id: rackId(),
  datadir: Type.Optional(paths('Data directories of storage nodes', 70_054)),
  logdir: Type.Optional(paths('Binary log directories of storage nodes', 70_055)),
  wal_log_dir: Type.Optional(paths('Redo log directories of storage nodes', 70_056)),
  comp_datadir: Type.Optional(paths('Data directories of compute nodes', 70_061)),
  total_mem: measured('Memory that nodes may use, MiB', 70_057),
  total_cpu_cores: measured('Logical CPU cores that nodes may use', 70_058),
});

export type CreateMachineParas = Type.Static<typeof createMachineParas>;

export const createMachineExample = {
  hostaddr: '192.168.0.135',
  machine_type: 'computer',
  port_range: '45000-48000',
  rack_id: '1',
  datadir: '/home/play_ground/run_data',
  logdir: '/home/play_ground/run_data',
  wal_log_dir: '/home/play_ground/run_data',
  comp_datadir: '/home/play_ground/run_data',
  total_mem: '8192',
  total_cpu_cores: '8',
};
