/** What the benchmark tells the process of the simulated machines, and what it answers. */
export type SimulatorOrder =
  | {
      readonly kind: 'listen';
      readonly agents: number;
      readonly secret: string;
      /** PEM texts that the simulated MySQL servers present. */
      readonly certificate: string;
      readonly key: string;
    }
  /** The node's process ends, and its agent says so. */
  | { readonly kind: 'exit'; readonly node: number }
  /** It serves again. */
  | { readonly kind: 'return'; readonly node: number }
  | { readonly kind: 'count' };

export interface SimulatorCounts {
  /** Milliseconds since 1970, when this was true. */
  readonly at: number;
  /** Event streams that are open. */
  readonly streams: number;
  /** Logins at simulated MySQL servers, since the start. */
  readonly logins: number;
  /** Statements that they answered, since the start. */
  readonly statements: number;
  /** Milliseconds from the last exit until the manager asked a node of the same shard; null: it has not yet. */
  readonly askedAfterMs: number | null;
  /** What they were asked and could not answer. */
  readonly unknown: readonly string[];
}
