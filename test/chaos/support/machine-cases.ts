import type { JsonObject } from '../../../src/core/json.ts';
import { machineParas, portRange, type TestMachine } from '../../support/installation.ts';
import type { MissionCase, SweepState } from './mission-case.ts';

/** It carries nothing. */
function spare({ machines }: SweepState): TestMachine {
  const found = machines.at(-1);
  if (found === undefined) throw new Error('there is no machine');
  return found;
}

const spareMachine = (state: SweepState): JsonObject =>
  machineParas(spare(state), 'computer', portRange('computer', state.machines.length - 1));

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
