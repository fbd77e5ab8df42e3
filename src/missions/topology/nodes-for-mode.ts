import type { Violation } from '../../core/errors/kluster-error.ts';
import type { HaMode } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';

/** Fewest nodes of a shard that can lose one and still know what was committed. */
const fewestReplicatedNodes = 3;

/** `paras.nodes` must fit the mode. */
export function nodesForMode(mode: HaMode, nodes: number, code: number): Violation | undefined {
  const violation = (rule: string): Violation => ({
    field: 'paras.nodes',
    value: shownValue(nodes),
    rule,
    code,
  });
  if (mode === 'no_rep') {
    return nodes === 1 ? undefined : violation('must be 1 when ha_mode is no_rep');
  }
  return nodes >= fewestReplicatedNodes
    ? undefined
    : violation(`must be at least ${String(fewestReplicatedNodes)} when ha_mode is ${mode}`);
}
