import Type from 'typebox';
import type { Candidate } from './candidates.ts';

/** Where nodes go, decided once, before anything is made. Ports follow when nodes start. */
const place = Type.Object({
  hostaddr: Type.String(),
  agentPort: Type.Integer(),
  machineId: Type.Integer(),
});

export const storagePlace = Type.Object({
  ...place.properties,
  datadir: Type.String(),
  logdir: Type.String(),
  walLogDir: Type.String(),
});

export const computePlace = Type.Object({ ...place.properties, datadir: Type.String() });

export type StoragePlace = Type.Static<typeof storagePlace>;
export type ComputePlace = Type.Static<typeof computePlace>;

/** Output of a step that started an engine. */
export const startedInstance = Type.Object({ instanceId: Type.String(), port: Type.Integer() });

export function storagePlaceOn(machine: Candidate): StoragePlace {
  const { hostaddr, agentPort, machineId, datadir, logdir, walLogDir } = machine;
  return { hostaddr, agentPort, machineId, datadir, logdir, walLogDir };
}

export function computePlaceOn(machine: Candidate): ComputePlace {
  const { hostaddr, agentPort, machineId, compDatadir } = machine;
  return { hostaddr, agentPort, machineId, datadir: compDatadir };
}
