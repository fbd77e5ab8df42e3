/** What a benchmark is told on the command line. */
export interface BenchOptions {
  /** Absent: as many as the benchmark needs for a steady median. */
  readonly rounds: number | undefined;
  /** How many machines `scale` simulates; absent: its default. */
  readonly agents: number | undefined;
  /** Which shards `failover` measures; absent: one after the other. */
  readonly haMode: 'rbr' | 'mgr' | undefined;
  /** A fraction of the work, to see that the benchmark runs; its figures mean nothing. */
  readonly quick: boolean;
}
