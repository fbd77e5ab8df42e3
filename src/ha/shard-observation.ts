import type { ComputeNode, HaMode, HostPort, StorageNode } from '../core/model.ts';
import type { ChannelState } from '../engines/mysql/channel.ts';
import type { GroupMember, GroupMemberState } from '../engines/mysql/group.ts';

/** What one storage node said about itself. */
export interface NodeAnswer {
  readonly superReadOnly: boolean;
  /** Its replication channel (rbr); null when it has none. */
  readonly channel: ChannelState | null;
  /** Acknowledgements that its commits wait for as a source; 0 when semi-sync is off. */
  readonly acknowledgements: number;
  /** It acknowledges what it receives (rbr): semi-sync is active on its channel. */
  readonly acknowledges: boolean;
  /** Executed and, for a replica, received transactions. */
  readonly gtids: string;
  /** Its own state in its group (mgr). */
  readonly groupState: GroupMemberState;
  /** The group as it sees it (mgr). */
  readonly group: readonly GroupMember[];
}

export interface NodeObservation {
  readonly node: StorageNode;
  readonly answer: NodeAnswer | null;
  /** Why there is no answer. */
  readonly failure: string | null;
}

/** Where one compute node sends its sessions for this shard; a compute node that does not answer is not listed. */
export interface RouteObservation {
  readonly comp: ComputeNode;
  /** Null when it does not know the shard. */
  readonly route: HostPort | null;
}

/** One shard at one moment: what the catalog says and what its nodes answered. */
export interface ShardObservation {
  readonly name: string;
  readonly haMode: HaMode;
  readonly fullsyncLevel: number;
  readonly nodes: readonly NodeObservation[];
  /** Milliseconds for which the recorded primary has not answered any look; 0 when it answered this one. */
  readonly primarySilentMs: number;
  readonly routes: readonly RouteObservation[];
}

export const sameAddress = (left: HostPort, right: HostPort): boolean =>
  left.hostaddr === right.hostaddr && left.port === right.port;
