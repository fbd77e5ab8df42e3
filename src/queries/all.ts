import type { ImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { doctor } from './doctor/doctor.ts';
import { getBackupStorage } from './get-backup-storage.ts';
import { getClusterDetail } from './get-cluster-detail.ts';
import { getClusterSummary } from './get-cluster-summary.ts';
import { getMachineSummary } from './get-machine-summary.ts';
import { getMetaMode } from './get-meta-mode.ts';
import { getMetaSummary } from './get-meta-summary.ts';
import { getVariable } from './get-variable.ts';
import { listNoswitch } from './list-noswitch.ts';

/** Every job type that only reads. */
export const queries: readonly ImmediateJob<Services>[] = [
  doctor,
  getBackupStorage,
  getClusterDetail,
  getClusterSummary,
  getMachineSummary,
  getMetaMode,
  getMetaSummary,
  getVariable,
  listNoswitch,
];
