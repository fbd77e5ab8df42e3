import { expect, it } from 'vitest';
import { diagnose } from '../../../src/ha/diagnose.ts';
import type { ShardState } from '../../../src/ha/diagnosis.ts';
import type { NodeAnswer, NodeObservation } from '../../../src/ha/shard-observation.ts';
import {
  following,
  instanceView,
  primary,
  replica,
  seen,
  shard,
  standing,
  uuid,
} from '../../support/shard-observations.ts';

const waiting: NodeAnswer = { ...primary, commitsWaiting: 1 };
const holder: NodeAnswer = { ...replica, gtids: `${uuid}:1-11` };
const mute: NodeAnswer = { ...holder, acknowledges: false };

function stalling(answer: NodeAnswer, stalled = true): NodeObservation {
  return {
    ...seen(1, answer),
    agent: {
      silentMs: 100,
      instance: { ...instanceView(1), standing: { ...standing, superReadOnly: false, stalled } },
    },
  };
}

it.for<readonly [string, NodeObservation, readonly NodeAnswer[], ShardState]>([
  ['both have what it waits for', stalling(waiting), [holder, holder], 'primary_unheard'],
  ['one has it, and one is enough', stalling(waiting), [holder, replica], 'primary_unheard'],
  ['none has it: it is on its way', stalling(waiting), [replica, replica], 'healthy'],
  ['who has it does not acknowledge', stalling(waiting), [mute, replica], 'healthy'],
  ['nothing waits', stalling(primary), [replica, replica], 'healthy'],
  ['it waits for a moment only', stalling(waiting, false), [holder, holder], 'healthy'],
  [
    'two are needed, and one has it',
    stalling({ ...waiting, acknowledgements: 2 }),
    [holder, replica],
    'healthy',
  ],
  [
    'who has it follows no more',
    stalling(waiting),
    [{ ...holder, channel: { ...following, receiverRunning: false } }, replica],
    'replica_stopped',
  ],
])('a primary with commits that get no acknowledgement: %s', ([, first, replicas, state]) => {
  const needed = first.answer?.acknowledgements ?? 1;
  const nodes = [first, ...replicas.map((answer, index) => seen(index + 2, answer))];
  const found = diagnose({ ...shard, fullsyncLevel: needed, acknowledgements: needed, nodes });
  expect(found.state).toBe(state);
  expect(found.action?.kind === 'commit_nothing').toBe(state === 'primary_unheard');
});
