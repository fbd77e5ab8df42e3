import type { ImmediateJob } from '../jobs/immediate.ts';
import type { AnyMission } from '../jobs/mission.ts';
import type { Services } from '../jobs/services.ts';
import { createMachine } from './create-machine.ts';
import { deleteMachine } from './delete-machine.ts';
import { renameCluster } from './rename-cluster.ts';
import { setMachine } from './set-machine.ts';
import { setVariable } from './set-variable.ts';
import { updateMachine } from './update-machine.ts';

/** Every job type that changes something and takes time. */
export const missions: readonly AnyMission<Services>[] = [
  createMachine,
  updateMachine,
  deleteMachine,
  setMachine,
];

/** Every job type that changes something and answers at once. */
export const immediateChanges: readonly ImmediateJob<Services>[] = [renameCluster, setVariable];
