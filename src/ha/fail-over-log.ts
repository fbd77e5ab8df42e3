import type { FailoverStep } from '../catalog/failovers.ts';
import type { Sql } from '../catalog/sql.ts';
import type { StorageNode } from '../core/model.ts';
import type { RepairContext } from './repair-context.ts';

/**
 * The rows of one failover in rbr_consfailover, in the order of their steps. Writing them does not hold up the failover;
 * the promotion waits for those before it.
 */
export class FailOverLog {
  readonly #context: RepairContext;
  readonly #old: StorageNode;
  readonly #signal: AbortSignal;
  readonly #task: string;
  #successor: StorageNode | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(context: RepairContext, old: StorageNode, signal: AbortSignal) {
    this.#context = context;
    this.#old = old;
    this.#signal = signal;
    this.#task = `${String(context.shard.id)}-${String(Date.now())}`;
  }

  chosen(successor: StorageNode): void {
    this.#successor = successor;
  }

  add(step: string, text: string): void {
    const { database } = this.#context.catalog;
    const row = this.#row(step, text);
    const writing = this.#writing.then(() => database.write((sql) => this.#insert(sql, row), this.#signal));
    // Whoever waits for it, or for a later one, gets the error.
    writing.catch(() => undefined);
    this.#writing = writing;
  }

  /** As part of a transaction that is under way. */
  addWithin(sql: Sql, step: string, text: string): Promise<void> {
    return this.#insert(sql, this.#row(step, text));
  }

  /** All rows so far are written. @throws KlusterError when one could not be, stale_epoch among others */
  async written(): Promise<void> {
    await this.#writing;
  }

  #row(step: string, text: string): FailoverStep {
    const successor = this.#successor;
    return {
      shard: this.#context.shard,
      task: this.#task,
      step,
      text,
      old: this.#old,
      ...(successor && { successor }),
    };
  }

  #insert(sql: Sql, row: FailoverStep): Promise<void> {
    return this.#context.catalog.failovers.add(sql, row);
  }
}
