import { Check } from 'typebox/value';
import type { JsonObject } from '../../core/json.ts';
import type { JobView } from '../../jobs/mission.ts';
import { jobPart } from '../attachment-parts.ts';
import { computePart } from '../topology/part-attachments.ts';
import { deleteCompPrepared } from './prepared.ts';

/** The keys that consoles read. */
export function deleteCompAttachment(job: JobView): JsonObject | null {
  const { prepared } = job;
  if (!Check(deleteCompPrepared, prepared)) return null;
  const part = jobPart(job, () => true);
  return {
    cluster_id: String(prepared.clusterId),
    cluster_name: prepared.clusterName,
    comp_id: String(prepared.comp.id),
    storage_state: part.state,
    ...computePart(job, part, [prepared.place]),
    rollback_flag: '1',
  };
}
