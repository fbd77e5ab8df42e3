import { expect, it } from 'vitest';
import type { InstanceView } from '../../../src/core/agent-protocol.ts';
import { areWatched } from '../../../src/ha/pace.ts';
import { instanceView, node, standing } from '../../support/shard-observations.ts';

const view: InstanceView = { ...instanceView(1), standing };
const nodes = [node(1), node(2)];

it('needs the fresh word of every agent, about a node that answers and whose part it sees', () => {
  const watched = (second: Parameters<typeof areWatched>[1]): boolean =>
    areWatched(nodes, (of) => (of.id === node(1).id ? { silentMs: 400, instance: view } : second(of)));
  const { standing: _, ...unseen } = view;
  expect(watched(() => ({ silentMs: 500, instance: view }))).toBe(true);
  expect(watched(() => ({ silentMs: 1700, instance: view }))).toBe(false);
  expect(watched(() => null)).toBe(false);
  expect(watched(() => ({ silentMs: 500, instance: null }))).toBe(false);
  expect(watched(() => ({ silentMs: 500, instance: unseen }))).toBe(false);
  const mute = { ...view, health: { answers: false, reason: 'it hangs', hearsSource: null } };
  expect(watched(() => ({ silentMs: 500, instance: mute }))).toBe(false);
});
