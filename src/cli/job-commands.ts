import { immediateJobs, missions } from '../manager/job-types.ts';
import type { JobCommand } from './job-flags.ts';

/** Every job type of this version, as the command line offers it. */
export const jobCommands: readonly JobCommand[] = [...missions, ...immediateJobs];
