import type { InstanceRecord, RecordStore } from './instance-record.ts';

/** Writes the record of one instance in the order of the calls, and never again once it was deleted or let go. */
export class RecordKeeper {
  readonly #record: InstanceRecord;
  readonly #store: RecordStore;
  #pending: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(record: InstanceRecord, store: RecordStore) {
    this.#record = record;
    this.#store = store;
  }

  async save(): Promise<void> {
    const saved = this.#pending.then(() => (this.#closed ? undefined : this.#store.save(this.#record)));
    this.#pending = saved.catch(() => undefined);
    await saved;
  }

  /** Waits for what is being written; nothing is written after that. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pending;
  }

  /** The last thing that happens to an instance. */
  async delete(): Promise<void> {
    await this.close();
    await this.#store.delete(this.#record.instanceId);
  }
}
