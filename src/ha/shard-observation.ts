import type { InstanceView } from '../core/agent-protocol.ts';
import type { ComputeNode, DegradeSetting, HaMode, HostPort, StorageNode } from '../core/model.ts';
import type { GroupMember, GroupMemberState } from '../engines/mysql/group.ts';
import type { NodeState } from '../engines/mysql/node-state.ts';

/** What the agent of a node's machine tells about the node. */
export interface AgentReport {
  /** Milliseconds since the agent was last heard; it sends a heartbeat every 500 ms. */
  readonly silentMs: number;
  /** As last described; null when the agent has no such instance. */
  readonly instance: InstanceView | null;
}

/** What one storage node said about itself. */
export interface NodeAnswer extends Omit<NodeState, 'executed' | 'received'> {
  /** Executed and, for a replica, received transactions. */
  readonly gtids: string;
  /** Executed transactions that are in none of its binary logs: it cannot send them to a replica. */
  readonly purged: string;
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
  /** It refuses logins because all its connections are in use: it lives. */
  readonly busy: boolean;
  /** Looks in a row in which it did not answer. */
  readonly misses: number;
  /** Milliseconds since the first of these; 0 when it answered this one. */
  readonly silentMs: number;
  /** Milliseconds for which its replication has been stopped by an error, or it has followed with transactions of its own; 0: neither. */
  readonly brokenMs: number;
  /** Null when no agent of its machine was ever heard. */
  readonly agent: AgentReport | null;
}

/**
 * A second failover right after the first is as urgent as the first; a shard that goes on failing over has a fault that
 * failing over does not mend.
 */
export interface FailoverPolicy {
  /** So many failovers within an hour are as fast as the evidence allows. */
  readonly fastPerHour: number;
  /** Further ones wait until the primary has been silent for this long, so that its agent may restart it. */
  readonly cautiousMs: number;
}

export const defaultFailoverPolicy: FailoverPolicy = { fastPerHour: 3, cautiousMs: 15_000 };

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
  /** Those that every commit is certain to have had: less than `fullsyncLevel` while degraded. */
  readonly acknowledgements: number;
  readonly degrade: DegradeSetting;
  /** Milliseconds for which too few replicas have acknowledged; 0 when enough do. */
  readonly starvedMs: number;
  /** Milliseconds for which too few replicas have heard from a primary that answers; 0 when enough do. */
  readonly isolatedMs: number;
  /** Milliseconds for which the agent of the primary has said that its disk takes no writes; 0 when it does. */
  readonly diskMs: number;
  /** Until when automatic failover is suspended (`set_noswitch`); null when it is not. */
  readonly noSwitchUntil: Date | null;
  readonly nodes: readonly NodeObservation[];
  /**
   * Nodes that an operator has stopped, or that lost their data to a rebuild which nothing else could replace: nobody asks
   * them, and they may have acknowledged what no other node has.
   */
  readonly stopped: readonly StorageNode[];
  /** Nodes that were being made or rebuilt by a job which has ended before it had done so. */
  readonly unfinished: readonly StorageNode[];
  /** Automatic failovers of this shard within the last hour. */
  readonly recentFailovers: number;
  readonly failoverPolicy: FailoverPolicy;
  readonly routes: readonly RouteObservation[];
}
