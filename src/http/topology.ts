import type { ClusterJson, MachineJson, StatusJson } from '../core/rest-types.ts';

/** What exists, read for people and programs. */
export interface Topology {
  machines(signal: AbortSignal): Promise<readonly MachineJson[]>;
  clusters(signal: AbortSignal): Promise<readonly ClusterJson[]>;
  /** By id, by name, or by a nick name that only one cluster has. Throws cluster_not_found. */
  cluster(idOrName: string, signal: AbortSignal): Promise<ClusterJson>;
  /** `manager.url` is filled in by the HTTP layer, which knows the address. */
  status(signal: AbortSignal): Promise<Omit<StatusJson, 'manager'>>;
}
