import { closeMysql, openMysql, type MysqlLink } from '../engines/mysql/connection.ts';
import type { SqlAddress } from '../engines/sql.ts';
import { MetadataError } from './metadata-error.ts';

interface PoolOptions {
  readonly address: SqlAddress;
  /** Connections open at the same time. */
  readonly limit: number;
  /** Milliseconds to wait for a free connection. */
  readonly waitMs: number;
  /** Statements that make a fresh connection ready. */
  readonly prepare: (link: MysqlLink, signal: AbortSignal) => Promise<void>;
}

interface Lease {
  readonly link: MysqlLink;
  /** Used before: it may have died unnoticed. */
  readonly reused: boolean;
}

interface Waiter {
  /** Gives the waiter the right to one connection. */
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
}

/**
 * Connections to one server. Our own instead of the driver's pool, because that one neither bounds the wait for a
 * connection nor lets a caller's signal end it, and keeps the socket of a hung server.
 */
export class ConnectionPool {
  private readonly options: PoolOptions;
  private readonly idle: MysqlLink[] = [];
  private readonly used = new Set<MysqlLink>();
  private readonly waiters: Waiter[] = [];
  /** Rights to a connection that are out: leases and connections being opened. */
  private slots = 0;
  private closed = false;
  private onDrained: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.options = options;
  }

  /** A connection for one caller, who gives it back with `release`, or with `discard` when it may be broken. */
  async acquire(signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    this.refuseWhenClosed();
    if (this.slots < this.options.limit) this.slots += 1;
    else await this.turn(signal);
    const idle = this.takeIdle();
    if (idle === undefined) return { link: await this.open(signal), reused: false };
    this.used.add(idle);
    return { link: idle, reused: true };
  }

  release(link: MysqlLink): void {
    this.used.delete(link);
    if (this.closed) closeMysql(link);
    else if (link.isOpen()) this.idle.push(link);
    this.freeSlot();
  }

  discard(link: MysqlLink): void {
    this.used.delete(link);
    link.cut();
    this.freeSlot();
  }

  /** Waits for the transactions that run, at most `graceMs`, then drops what is left. */
  async close(graceMs: number): Promise<void> {
    this.closed = true;
    for (const waiter of this.waiters.splice(0)) waiter.refuse(closedError());
    for (const link of this.idle.splice(0)) closeMysql(link);
    if (this.slots === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.onDrained = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    for (const link of this.used) link.cut();
  }

  private takeIdle(): MysqlLink | undefined {
    // The last one used first: the others stay idle, and their number shrinks when the server closes them.
    for (let link = this.idle.pop(); link !== undefined; link = this.idle.pop()) {
      if (link.isOpen()) return link;
    }
    return undefined;
  }

  private async open(signal: AbortSignal): Promise<MysqlLink> {
    try {
      const link = await openMysql(this.options.address, signal);
      try {
        await this.options.prepare(link, signal);
        this.refuseWhenClosed();
      } catch (error) {
        link.cut();
        throw error;
      }
      this.used.add(link);
      return link;
    } catch (error) {
      this.freeSlot();
      throw error;
    }
  }

  /** Waits for a slot; first come, first served. */
  private turn(signal: AbortSignal): Promise<void> {
    const { limit, waitMs } = this.options;
    return new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        const place = this.waiters.indexOf(waiter);
        if (place >= 0) this.waiters.splice(place, 1);
      };
      const refuse = (reason: unknown): void => {
        leave();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- may be the caller's own abort reason
        reject(reason);
      };
      const onAbort = (): void => refuse(signal.reason);
      const waiter: Waiter = {
        admit: () => {
          leave();
          resolve();
        },
        refuse,
      };
      const timer = setTimeout(() => refuse(crowdedError(limit, waitMs)), waitMs);
      signal.addEventListener('abort', onAbort, { once: true });
      this.waiters.push(waiter);
    });
  }

  /** Hands the slot to whoever waits longest. */
  private freeSlot(): void {
    const [waiter] = this.waiters;
    if (waiter !== undefined) {
      waiter.admit();
      return;
    }
    this.slots -= 1;
    if (this.closed && this.slots === 0) this.onDrained?.();
  }

  private refuseWhenClosed(): void {
    if (this.closed) throw closedError();
  }
}

function closedError(): MetadataError {
  return new MetadataError('metadata database: this manager has closed its connections', {
    connectionLost: false,
  });
}

function crowdedError(limit: number, waitMs: number): MetadataError {
  return new MetadataError(
    `metadata database: all ${String(limit)} connections were in use for ${String(waitMs)} ms`,
    { connectionLost: false },
  );
}
