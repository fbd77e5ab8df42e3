/** The published client of the manager's REST interface. */
export { ManagerClient } from './manager.ts';
export type {
  CallOptions,
  JobListQuery,
  ManagerClientOptions,
  SubmitOptions,
  WatchOptions,
} from './manager.ts';
export { KlusterError, type Violation } from '../core/errors/kluster-error.ts';
export type * from '../core/rest-types.ts';
