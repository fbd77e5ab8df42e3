import type { CpuLimit } from './model.ts';
import type { InstanceId } from './ids.ts';

/**
 * The agent's API: an allow-list of verbs over HTTP/JSON, spoken by `src/client/agent.ts`, answered by `src/agent`.
 *
 *   GET    /v1/health                          Health
 *   GET    /v1/stats                           MachineStats
 *   GET    /v1/instances                       { instances: InstanceView[] }
 *   GET    /v1/instances/:id                   InstanceView
 *   PUT    /v1/instances/:id                   InstanceSpec → InstanceView, ready to serve; idempotent by id
 *   POST   /v1/instances/:id/start             → InstanceView, ready
 *   POST   /v1/instances/:id/stop              StopRequest → InstanceView, stopped
 *   POST   /v1/instances/:id/restart           RestartRequest → InstanceView, ready
 *   POST   /v1/instances/:id/remake            RestartRequest → InstanceView: all data removed, made again from the template
 *   POST   /v1/instances/:id/save-transactions SaveTransactionsRequest → SavedTransactions
 *   POST   /v1/instances/:id/restore-setting   FormerSetting → {}; refused while the process runs
 *   PUT    /v1/instances/:id/cpu-limit         { limit: CpuLimit | null } → { limit } as read back from the kernel
 *   DELETE /v1/instances/:id                   process stopped, every directory removed; 200 also when unknown
 *   POST   /v1/ports/check                     PortCheck → { busy: number[] }
 *   POST   /v1/reach                           { targets: HostPort[] } → { reached: HostPort[] }: those that take a connection
 *   POST   /v1/paths/space                     { paths: string[] } → { spaces: PathSpace[] }; makes missing directories
 *   POST   /v1/paths/strays                    { paths: string[] } → Strays below these base directories
 *   GET    /v1/events                          newline-delimited JSON of AgentEvent, a heartbeat every 500 ms
 *
 * Every request but /v1/health is signed (`request-signature.ts`) and carries the header `x-kluster-epoch`; a lower
 * epoch than the highest seen is refused with `stale_epoch`. Errors: { error: { kind, code, message, hint } }.
 */
export const epochHeader = 'x-kluster-epoch';

export const defaultAgentPort = 35_002;

/** What an account may do; the grants of each purpose are in src/engines. */
export type AccountPurpose =
  /** Used by the manager: replication, variables, accounts, all data definitions. */
  | 'management'
  /** Used by replicas, group recovery and clone. */
  | 'replication'
  /** Used by compute nodes: all data outside the system schemas, XA. */
  | 'compute'
  /** Used by consoles: reads status, variables and replication state, no data. */
  | 'monitor';

export interface Account {
  readonly purpose: AccountPurpose;
  readonly user: string;
  readonly password: string;
}

/** dbcfg: `small` keeps a storage node below 250 MiB resident. */
export type MemoryProfile = 'normal' | 'small';

export interface MysqlInstanceSpec {
  readonly engine: 'mysql';
  readonly hostaddr: string;
  readonly port: number;
  /** Port of group replication's own protocol; bound only in ha_mode mgr. */
  readonly groupReplicationPort: number;
  /** Base directories of the machine; the instance makes one directory named by its id in each. */
  readonly datadir: string;
  readonly logdir: string;
  readonly walLogDir: string;
  readonly serverId: number;
  readonly profile: MemoryProfile;
  /** MiB; absent: the profile's default. */
  readonly bufferPoolMb?: number;
  readonly maxConnections?: number;
  /** Group replication: the group's name (a UUID). Absent: plain server or semi-sync. */
  readonly groupName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cpuLimit?: CpuLimit;
  /** `seal`ed JSON of Account[]. */
  readonly sealedAccounts: string;
}

export interface PostgresInstanceSpec {
  readonly engine: 'postgres';
  readonly hostaddr: string;
  readonly port: number;
  readonly datadir: string;
  readonly profile: MemoryProfile;
  readonly maxConnections?: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly cpuLimit?: CpuLimit;
  /** `seal`ed JSON of one Account with purpose `management`: the superuser. */
  readonly sealedAccounts: string;
}

export type InstanceSpec = MysqlInstanceSpec | PostgresInstanceSpec;
export type EngineName = InstanceSpec['engine'];

export type InstanceState = 'creating' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

/** What the agent finds when it asks one of its own engines twice a second. */
export interface InstanceHealth {
  /** False once two beats in a row had no answer. */
  readonly answers: boolean;
  /** Why there was none. */
  readonly reason: string | null;
  /** A replica: whether it hears from its source; null when it has none, or its engine does not say. */
  readonly hearsSource: boolean | null;
}

/**
 * What part a storage node has in its shard, as its agent sees it once a second; a change is told at once. It tells when a
 * look is worthwhile, never what to do: before it acts the manager looks for itself.
 */
export interface InstanceStanding {
  readonly superReadOnly: boolean;
  /** `ip:port` of the server that it replicates; null: none. */
  readonly source: string | null;
  readonly receives: boolean;
  readonly applies: boolean;
  /** It acknowledges what it receives. */
  readonly acknowledges: boolean;
  /** Acknowledgements that its commits wait for. */
  readonly acknowledgements: number;
  /** Replicas that may acknowledge. */
  readonly acknowledgers: number;
  /** The members of its group and their states, as it sees them; none when it is in no group. */
  readonly group: readonly string[];
  /** Commits wait for acknowledgements, and for some seconds none has come. */
  readonly stalled: boolean;
  /** Branches of transactions over shards that have been prepared for some seconds. */
  readonly lingering: number;
}

/** The worst of the disks that an instance keeps its files on. */
export interface DiskReport {
  /**
   * `low`: little room is left. `full`: none that an engine could work with. `frozen`: a write has not come back for five
   * seconds. `failing`: it refuses writes.
   */
  readonly state: 'room' | 'low' | 'full' | 'frozen' | 'failing';
  /** MiB that an engine may still take, when that was last looked at. */
  readonly availableMb: number | null;
  readonly reason: string | null;
}

export interface InstanceView {
  readonly instanceId: InstanceId;
  readonly engine: EngineName;
  readonly engineVersion: string;
  readonly hostaddr: string;
  readonly port: number;
  readonly state: InstanceState;
  /** What the agent keeps true: a `running` instance is restarted when its process ends. */
  readonly desired: 'running' | 'stopped';
  readonly pid: number | null;
  /** The instance's own data directory. */
  readonly datadir: string;
  readonly logFile: string;
  /** Automatic restarts since the last time it was started on purpose. */
  readonly restarts: number;
  readonly lastExit: { readonly at: string; readonly reason: string } | null;
  /** Key of the last request that had it made again from nothing. */
  readonly remadeBy: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** What was asked for, whether the kernel has it or not (`warnings` tells); null: no limit. */
  readonly cpuLimit: CpuLimit | null;
  /** What could not be done as asked but does not hinder service, e.g. no cgroup controller. */
  readonly warnings: readonly string[];
  /** Absent while the process is not ready, and for engines that are not asked. */
  readonly health?: InstanceHealth;
  /** Absent while it is not known, and for engines that are not asked. */
  readonly standing?: InstanceStanding;
  /** Absent until its directories have been made, and for engines whose disks are not looked at. */
  readonly disk?: DiskReport;
}

export interface StopRequest {
  /** `fast`: orderly shutdown; `immediate`: SIGKILL. */
  readonly mode: 'fast' | 'immediate';
}

export interface RestartRequest {
  /** A key seen before returns the instance as it is instead of restarting it again. */
  readonly operationKey: string;
  /** How the process ends first; default `fast`. */
  readonly mode?: StopRequest['mode'];
}

/** What a server is to read at its next start instead of what was set since. */
export interface FormerSetting {
  readonly name: string;
  /** Null: it was not set. */
  readonly value: string | null;
}

/** Asks for the transactions in a storage node's binary and relay logs that somebody else lacks. */
export interface SaveTransactionsRequest {
  /** Part of the names of the files; a key seen before gives the same files again. `[A-Za-z0-9-]+` */
  readonly operationKey: string;
  /** GTID set of what need not be saved. */
  readonly known: string;
}

export interface SavedTransactions {
  /** Files that `mysql` can execute, below the machine's log directory; none when nothing had to be saved. */
  readonly files: readonly string[];
  /** GTID set of what is in them. */
  readonly gtids: string;
  /** Why the end of a log could not be read, as after a crash in the middle of a write; null when all could. */
  readonly torn: string | null;
}

export interface PortCheck {
  readonly hostaddr: string;
  readonly ports: readonly number[];
}

export interface PathSpace {
  readonly path: string;
  readonly totalMb: number;
  readonly usedMb: number;
  readonly availableMb: number;
}

/** What lies or runs below base directories although no instance of the agent owns it. */
export interface Strays {
  /** Directories that an agent has made for an instance. */
  readonly directories: readonly string[];
  readonly processes: readonly StrayProcess[];
}

export interface StrayProcess {
  readonly pid: number;
  /** The instance's directory that it works in or was told to use. */
  readonly directory: string;
}

export interface EngineVersion {
  readonly version: string;
  readonly directory: string;
}

export interface Health {
  readonly hostaddr: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  readonly engines: Readonly<Partial<Record<EngineName, EngineVersion>>>;
  /** Which cpu cgroup driver is in use, if any. */
  readonly cgroup: 'v1' | 'v2' | 'none';
}

export interface MachineStats {
  readonly totalMemoryMb: number;
  readonly availableMemoryMb: number;
  readonly cpuCores: number;
  /** Share of all cores busy since the previous reading, 0..1. */
  readonly cpuBusy: number;
  readonly paths: readonly PathSpace[];
}

export type AgentEvent =
  | { readonly type: 'hello'; readonly at: string; readonly instances: readonly InstanceView[] }
  | {
      readonly type: 'heartbeat';
      readonly at: string;
      readonly cpuBusy: number;
      readonly availableMemoryMb: number;
    }
  /** Any change of state; an exit of a process is sent the moment it is seen. */
  | { readonly type: 'instance'; readonly at: string; readonly instance: InstanceView }
  | { readonly type: 'removed'; readonly at: string; readonly instanceId: InstanceId };
