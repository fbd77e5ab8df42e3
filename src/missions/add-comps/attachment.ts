import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { jobPart, outputOf } from '../attachment-parts.ts';
import { computePart, startedNode } from '../topology/part-attachments.ts';
import { addCompsPrepared, recordedComps, stepPaths } from './prepared.ts';

/** The keys of the API document and those that consoles read. `shards` and `comps` count those of the cluster. */
export function addCompsAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(addCompsPrepared, prepared)) return null;
  const nodes = prepared.comps.flatMap(({ place }, index) =>
    startedNode(job, stepPaths.computeNode(index + 1), place.hostaddr),
  );
  const recorded = outputOf(job, stepPaths.record, recordedComps)?.comps ?? [];
  const part = jobPart(job, () => true);
  return {
    cluster_id: String(prepared.clusterId),
    cluster_name: prepared.clusterName,
    nick_name: prepared.nickName,
    shards: String(prepared.shards),
    comps: String(prepared.others.length + prepared.comps.length),
    list_comp: recorded.map(({ id, name }) => ({ comp_id: String(id), comp_name: name })),
    storage_state: part.state,
    ...computePart(job, part, nodes),
  };
}
