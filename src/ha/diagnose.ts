import { diagnoseGroup } from './diagnose-group.ts';
import { diagnoseSource } from './diagnose-source.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { ShardObservation } from './shard-observation.ts';

/** Pure: the same observation always gives the same diagnosis. */
export function diagnose(shard: ShardObservation): Diagnosis {
  return shard.haMode === 'mgr' ? diagnoseGroup(shard) : diagnoseSource(shard);
}
