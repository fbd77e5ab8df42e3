import { expect } from 'vitest';
import { storageNodeId } from '../../src/core/ids.ts';
import type { HaMode } from '../../src/core/model.ts';
import { diagnose } from '../../src/ha/diagnose.ts';
import type { ShardAction, ShardState } from '../../src/ha/diagnosis.ts';
import { defaultFailoverPolicy, type NodeAnswer } from '../../src/ha/shard-observation.ts';
import { seen, shard } from './shard-observations.ts';

/** A row of a table of states: what the nodes answer, and what the manager makes of it. */
export type DiagnosisCase = readonly [
  situation: string,
  answers: readonly (NodeAnswer | null)[],
  state: ShardState,
  action: ShardAction['kind'] | null,
  on?: number,
];

function actedOn(action: ShardAction | null): number | null {
  if (action === null) return null;
  return action.kind === 'reroute' ? action.comp.id : action.node.id;
}

export function checkDiagnosis(
  haMode: HaMode,
  fullsyncLevel: number,
  [, answers, state, action, on]: DiagnosisCase,
): void {
  const nodes = answers.map((answer, index) => seen(index + 1, answer));
  const diagnosis = diagnose({
    ...shard,
    haMode,
    fullsyncLevel,
    acknowledgements: fullsyncLevel,
    nodes,
    recentFailovers: 0,
    stopped: [],
    failoverPolicy: defaultFailoverPolicy,
    routes: [],
  });
  expect(diagnosis).toMatchObject({ state, reason: expect.stringMatching(/\S/) });
  expect(diagnosis.action?.kind ?? null).toBe(action);
  expect(actedOn(diagnosis.action)).toBe(on === undefined ? null : storageNodeId(on));
}
