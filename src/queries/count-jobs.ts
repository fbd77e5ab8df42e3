import type { Catalog } from '../catalog/catalog.ts';
import { oneOf } from '../catalog/columns.ts';
import { numberOf, textOf } from '../catalog/sql.ts';
import type { JobStatus } from '../jobs/mission.ts';

const statuses = ['not_started', 'ongoing', 'done', 'failed'] as const satisfies readonly JobStatus[];

export interface JobCount {
  readonly jobType: string;
  readonly status: JobStatus;
  readonly count: number;
}

/** How many jobs of each type are in each status. */
export function countJobs(catalog: Catalog, signal: AbortSignal): Promise<readonly JobCount[]> {
  return catalog.database.read(
    (sql) =>
      sql.rows(
        `SELECT job_type, status, COUNT(*) AS jobs FROM cluster_general_job_log
          WHERE job_type IS NOT NULL AND job_type <> '' GROUP BY job_type, status`,
        [],
        (row): JobCount => ({
          jobType: textOf(row, 'job_type'),
          status: oneOf(row, 'status', statuses),
          count: numberOf(row, 'jobs'),
        }),
      ),
    signal,
  );
}
