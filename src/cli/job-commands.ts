import { immediateJobs, missions } from '../manager/job-types.ts';
import { doctor } from '../queries/doctor/doctor.ts';
import type { JobCommand } from './job-flags.ts';

/** Every job type of this version, as the command line offers it; `kluster doctor` is a command of its own. */
export const jobCommands: readonly JobCommand[] = [
  ...missions,
  ...immediateJobs.filter(({ jobType }) => jobType !== doctor.jobType),
];
