import type {
  EngineName,
  FormerSetting,
  InstanceStanding,
  SavedTransactions,
  SaveTransactionsRequest,
} from '../core/agent-protocol.ts';
import type { ErrorName } from '../core/errors/catalogue.ts';

/** How to start an engine process: argv, never a shell; the environment is complete, nothing is inherited. */
export interface EngineCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What an engine says of itself when it is asked. */
export interface PulseBeat {
  /** Whether it hears from the server that it replicates; null when it replicates none, or does not say. */
  readonly hearsSource: boolean | null;
}

/** A session that is kept open to ask one engine again and again whether it serves. */
export interface PulseSession {
  /** Returns when the engine has executed a statement. */
  beat(): Promise<PulseBeat>;
  close(): void;
}

/** What a storage node says at one moment of its part in its shard. */
export interface StandingSample {
  readonly role: Omit<InstanceStanding, 'stalled' | 'lingering'>;
  /** Sessions whose commit waits for acknowledgements. */
  readonly commitsWaiting: number;
  /** GTID set, as the server writes it. */
  readonly executed: string;
  /** Names of the branches that are prepared. */
  readonly prepared: readonly string[];
}

/** A session that is kept open to ask for that again and again. */
export interface StandingSession {
  read(): Promise<StandingSample>;
  close(): void;
}

/**
 * One instance of one engine as the supervisor sees it: what is particular to MySQL or PostgreSQL is behind this
 * interface. It holds no state; every method may be repeated.
 */
export interface EngineInstance {
  readonly engine: EngineName;
  /** `unknown` while the machine has no usable installation. */
  readonly version: string;
  /** The directories that this instance owns: made at creation, removed with it. No one contains another. */
  readonly directories: readonly string[];
  /** The first of `directories`. */
  readonly datadir: string;
  readonly logFile: string;
  readonly hostaddr: string;
  /** Every TCP port that the process binds on `hostaddr`. */
  readonly ports: readonly number[];
  /** Those of them that it binds on every address of the machine. */
  readonly wildcardPorts: readonly number[];
  /** An argument that only this instance's process has in its command line. */
  readonly mark: string;
  /** Ends the process in order. */
  readonly stopSignal: NodeJS.Signals;
  /**
   * Called before `stopSignal`: lets the process finish what its clients may be told. False when an order to end would make it
   * answer for what is not safe: then it is to be killed. Absent: it may always end in order.
   */
  mayEndInOrder?(signal: AbortSignal): Promise<boolean>;
  /**
   * Exit code by which the process asks to be started again at once; null when it has none.
   */
  readonly restartExitCode: number | null;
  /** Fills the empty directories so that the process can start. @throws KlusterError engine_missing */
  populate(signal: AbortSignal): Promise<void>;
  /** Before every start, when no process runs: writes the configuration, clears what a crash left. */
  configure(): Promise<void>;
  /** @throws KlusterError engine_missing */
  command(): Promise<EngineCommand>;
  /** Returns when the process serves statements; throws while it does not yet. Waits at most about a second. */
  probe(signal: AbortSignal): Promise<void>;
  /**
   * Null: the engine is watched by its process only. Gives null when the server refuses the session (all its connections
   * are in use, for one): that is an answer too.
   */
  readonly openPulse: ((signal: AbortSignal) => Promise<PulseSession | null>) | null;
  /** Null: the engine has no part in a shard. Gives null when the server refuses the session. */
  readonly openStanding: ((signal: AbortSignal) => Promise<StandingSession | null>) | null;
  /** At the first start, when `probe` has passed: makes the accounts. */
  bootstrap(signal: AbortSignal): Promise<void>;
  /** Saves what the transaction logs on disk have beyond what is known; whether the process runs does not matter. */
  saveTransactions?(request: SaveTransactionsRequest): Promise<SavedTransactions>;
  /** While no process runs: puts back what a variable or setting was, which the server may not start with. */
  restoreSetting(former: FormerSetting): Promise<void>;
  /** What the end of the log of a failed start tells; null when nothing particular. */
  diagnose(log: string): ErrorName | null;
}
