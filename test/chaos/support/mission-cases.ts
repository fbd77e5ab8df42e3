import { clusterCases } from './cluster-cases.ts';
import { machineCases } from './machine-cases.ts';
import type { MissionCase } from './mission-case.ts';

/** Machines that a sweep needs; the last one carries nothing at first. */
export const sweepMachines = 4;

/**
 * Every job type that has steps, at least once, each where the ones before have led; jobs of a type whose steps depend on
 * what is asked for, or on how the cluster replicates, more than once. A unit test fails for a mission without a case.
 */
export const missionCases: readonly MissionCase[] = [
  ...machineCases,
  ...clusterCases('rbr'),
  ...clusterCases('mgr'),
];
