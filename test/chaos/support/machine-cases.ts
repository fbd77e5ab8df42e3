import type { JsonObject } from '../../../src/core/json.ts';
import { portRange, type TestMachine } from '../../support/installation.ts';
import type { MissionCase, SweepState } from './mission-case.ts';

/** It carries nothing. */
function spare({ machines }: SweepState): TestMachine {
  const found = machines.at(-1);
  if (found === undefined) throw new Error('there is no machine');
  return found;
}

function spareMachine(state: SweepState): JsonObject {
  const { machines } = state;
  const { hostaddr, dataDirectory } = spare(state);
  return {
    hostaddr,
    machine_type: 'computer',
    port_range: portRange('computer', machines.length - 1),
    rack_id: '1',
    datadir: dataDirectory,
    logdir: dataDirectory,
    wal_log_dir: dataDirectory,
    comp_datadir: dataDirectory,
    total_mem: '16384',
    total_cpu_cores: '8',
  };
}

/** The machine is registered when an installation begins. */
export const machineCases: readonly MissionCase[] = [
  {
    name: 'delete_machine',
    jobType: 'delete_machine',
    part: 'machines',
    needs: ['create_machine'],
    ends: ['create_machine'],
    paras: (state) => ({ hostaddr: spare(state).hostaddr, machine_type: 'computer' }),
  },
  {
    name: 'create_machine',
    jobType: 'create_machine',
    part: 'machines',
    needs: ['delete_machine'],
    ends: ['delete_machine'],
    paras: spareMachine,
  },
  {
    name: 'update_machine',
    jobType: 'update_machine',
    part: 'machines',
    needs: ['create_machine'],
    paras: (state) => ({ ...spareMachine(state), total_mem: '8192' }),
  },
  {
    name: 'set_machine',
    jobType: 'set_machine',
    part: 'machines',
    needs: ['create_machine'],
    paras: (state) => ({ hostaddr: spare(state).hostaddr, node_stats: 'running' }),
  },
];
