import type { ComputeNode, StorageNode } from '../core/model.ts';

/**
 * What is the matter with a shard, and the one action that this state allows. The table in ARCHITECTURE.md lists the
 * states in the order in which they are looked for.
 */
export type ShardState =
  | 'healthy'
  /** A node that is not the recorded primary accepts writes. */
  | 'second_writer'
  /** The recorded primary does not answer, and the evidence does not suffice to replace it. */
  | 'primary_unreachable'
  /** An operator has stopped the recorded primary. */
  | 'primary_stopped'
  /** It refuses logins because all its connections are in use. */
  | 'primary_busy'
  /** It is dead by all evidence, no replica hears from it, and enough replicas answer to prove a successor. */
  | 'primary_lost'
  /** It answers, and so few replicas hear from it that its commits get no acknowledgements. */
  | 'primary_isolated'
  /** It has no room to write, or next to none. */
  | 'primary_full'
  /** Its disk does not answer, or refuses writes. */
  | 'primary_frozen'
  /** Commits on the primary get too few acknowledgements: they wait, or are about to wait for fewer. */
  | 'primary_starved'
  /** Enough replicas have received what commits wait for, and will not acknowledge it any more. */
  | 'primary_unheard'
  /** Commits wait for fewer acknowledgements than asked for. */
  | 'primary_degraded'
  /** The recorded primary is read-only, as every server starts, or is not yet what a primary has to be. */
  | 'primary_closed'
  /** It stays read-only: too few replicas receive from it for a commit to end. */
  | 'primary_held'
  /** The group has a primary that the catalog does not name yet. */
  | 'primary_moved'
  /** A compute node sends its sessions to another server than the primary. */
  | 'route_stale'
  /** A node leads a group that lacks transactions of others, which are not in it. */
  | 'group_forked'
  /** No member of the group runs, and all of them answer. */
  | 'group_down'
  /** No member of the group runs, but not all of them answer: one of those may be running it. */
  | 'group_unknown'
  | 'member_down'
  | 'replica_stopped'
  /** A replica follows the primary and hears nothing from it. */
  | 'replica_cut_off'
  /** A replica follows another server than the recorded primary, or none. */
  | 'replica_astray'
  /** A replica, also one that follows, has transactions that the primary lacks: they are saved, then the node is made again from another one. */
  | 'replica_errant'
  /** Replication of a replica has stopped with an error. */
  | 'replica_broken'
  /** A replica lacks transactions that the primary has in no log any more. */
  | 'replica_behind'
  /** The job that was to make or rebuild a node has ended without that. */
  | 'replica_unfinished'
  /** As `primary_full` and `primary_frozen`, of another node. */
  | 'node_full'
  | 'node_frozen'
  | 'node_unreachable';

export interface RebuildCandidate {
  readonly node: StorageNode;
  /** What is wrong with it: the same node is rebuilt again soon only for another cause. */
  readonly cause: string;
}

export interface RebuildAction extends RebuildCandidate {
  readonly kind: 'rebuild';
  /** Those whose turn it is when the node was rebuilt in vain. */
  readonly others: readonly RebuildCandidate[];
  /** No write can end before: what has failed is begun again soon. */
  readonly urgent: boolean;
}

/** Another node gets the role of `node`. */
interface Replacement {
  readonly node: StorageNode;
  readonly replicas: readonly StorageNode[];
  /** Replicas that must take part in the proof: one of them has every acknowledged transaction. */
  readonly quorum: number;
}

interface FailOverAction extends Replacement {
  readonly kind: 'fail_over';
  /** Those of the replicas that have room: the first choice. */
  readonly candidates: readonly StorageNode[];
}

/** The primary can be reached: it is closed first. */
interface HandOverAction extends Replacement {
  readonly kind: 'hand_over';
  /** Those of the replicas that could go on as the primary or acknowledge. */
  readonly candidates: readonly StorageNode[];
  /** So many others must be able to acknowledge what the successor commits. */
  readonly acknowledgers: number;
  /** Not when a candidate reaches the primary: its replication is about to go on. */
  readonly unlessReached: boolean;
}

export type ShardAction =
  | { readonly kind: 'close'; readonly node: StorageNode }
  | { readonly kind: 'open'; readonly node: StorageNode }
  /** End its process, and have its agent start it again. */
  | { readonly kind: 'kill'; readonly node: StorageNode }
  | { readonly kind: 'commit_nothing'; readonly node: StorageNode }
  | { readonly kind: 'record_primary'; readonly node: StorageNode }
  | { readonly kind: 'bootstrap_group'; readonly node: StorageNode }
  | { readonly kind: 'join_group'; readonly node: StorageNode }
  | { readonly kind: 'leave_group'; readonly node: StorageNode }
  | { readonly kind: 'start_replica'; readonly node: StorageNode }
  | RebuildAction
  | { readonly kind: 'follow'; readonly node: StorageNode; readonly primary: StorageNode }
  | FailOverAction
  | HandOverAction
  | {
      readonly kind: 'set_acknowledgements';
      readonly node: StorageNode;
      /** As the catalog has it. */
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: 'reroute'; readonly comp: ComputeNode; readonly primary: StorageNode };

export interface Diagnosis {
  readonly state: ShardState;
  /** One sentence for people: who, what, why this action or none. */
  readonly reason: string;
  readonly action: ShardAction | null;
  /** Asked for as well: a replica may be startable again and again in vain while this would help. */
  readonly rebuild?: RebuildAction;
}
