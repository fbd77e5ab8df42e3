import { setTimeout as sleep } from 'node:timers/promises';
import mysql, { type Connection } from 'mysql2/promise';
import { Client } from 'pg';
import type { SqlAddress } from '../../../src/engines/sql.ts';

/** Longer than any failover; a client that waits longer has given up. */
const patienceMs = 20_000;
const pauseMs = 20;
/** Of each shard; as many as can be locked by transactions that wait for a decision. */
export const shardAccounts = 100;

/** Something that writes for as long as it is let, and keeps what was acknowledged. */
export abstract class Workload {
  readonly acknowledged = new Set<string>();
  /** The latest acknowledgement (ms since epoch). */
  lastAt = 0;
  readonly name: string;
  #next = 1;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(name: string) {
    this.name = name;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const id = `${this.name}-${String(this.#next++)}`;
      try {
        await bounded(this.write(id));
        this.acknowledged.add(id);
        this.lastAt = Date.now();
        await sleep(pauseMs);
      } catch {
        // Whatever went wrong: the outcome is unknown, the id is never used again, the next one goes over a new session.
        await this.leave();
        await sleep(5 * pauseMs);
      }
    }
    await this.leave();
  }

  /** Returns when the server has acknowledged. */
  protected abstract write(id: string): Promise<void>;
  /** Ends the session, without a word to a server that may be gone. */
  protected abstract leave(): Promise<void>;
}

async function bounded(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error('no answer'));
    }, patienceMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An application that knows every node of a shard and tries the next one when its own does not take writes. */
abstract class DirectWorkload extends Workload {
  readonly #nodes: readonly SqlAddress[];
  #current = 0;
  #session: Connection | null = null;

  constructor(name: string, nodes: readonly SqlAddress[]) {
    super(name);
    this.#nodes = nodes;
  }

  protected async session(): Promise<Connection> {
    if (this.#session !== null) return this.#session;
    const node = this.#nodes[this.#current % this.#nodes.length];
    this.#current += 1;
    if (node === undefined) throw new Error('no nodes');
    const { hostaddr: host, port, user, password } = node;
    const session = await mysql.createConnection({ host, port, user, password, connectTimeout: 1000 });
    session.on('error', () => undefined);
    this.#session = session;
    return session;
  }

  protected async leave(): Promise<void> {
    this.#session?.destroy();
    this.#session = null;
  }
}

/** Writes each id once. */
export class DirectAudit extends DirectWorkload {
  protected override async write(id: string): Promise<void> {
    const session = await this.session();
    await session.execute('INSERT INTO chaos.audit (id) VALUES (?)', [id]);
  }
}

/** Moves money between accounts; the total stays, whatever happens. */
export class BankTransfers extends DirectWorkload {
  protected override async write(id: string): Promise<void> {
    const session = await this.session();
    const number = Number(id.split('-').at(-1));
    const [from, to] = [number % 10, (number * 7 + 3) % 10];
    await session.query('START TRANSACTION');
    await session.execute('UPDATE chaos.bank SET balance = balance - 1 WHERE account = ?', [from]);
    await session.execute('UPDATE chaos.bank SET balance = balance + 1 WHERE account = ?', [to]);
    await session.execute('INSERT INTO chaos.audit (id) VALUES (?)', [id]);
    await session.query('COMMIT');
  }
}

/** Writes through a compute node; its session outlives failovers when the compute node does. */
abstract class ComputeWorkload extends Workload {
  readonly #comp: SqlAddress;
  #session: Client | null = null;

  constructor(name: string, comp: SqlAddress) {
    super(name);
    this.#comp = comp;
  }

  protected async session(): Promise<Client> {
    if (this.#session !== null) return this.#session;
    const { hostaddr: host, port, user, password } = this.#comp;
    const session = new Client({
      host,
      port,
      user,
      password,
      database: 'postgres',
      connectionTimeoutMillis: 2000,
    });
    session.on('error', () => undefined);
    await session.connect();
    this.#session = session;
    return session;
  }

  protected override async leave(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    // A farewell that a server which is gone never answers.
    if (session !== null) void session.end().catch(() => undefined);
  }
}

/** Writes each id once. */
export class ComputeAudit extends ComputeWorkload {
  protected override async write(id: string): Promise<void> {
    const session = await this.session();
    await session.query('INSERT INTO chaos_audit (seq, id) VALUES (DEFAULT, $1)', [id]);
  }
}

/** Moves money from the first shard to the second in one transaction, with an entry in the ledgers of both. */
export class ShardTransfers extends ComputeWorkload {
  /** The process of its session at the compute node; 0: none yet. */
  backend = 0;

  protected override async write(id: string): Promise<void> {
    const session = await this.session();
    const { rows } = await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    this.backend = rows[0]?.pid ?? 0;
    const account = Number(id.split('-').at(-1)) % shardAccounts;
    await session.query('BEGIN');
    await session.query('UPDATE bank_1 SET balance = balance - 1 WHERE id = $1', [account]);
    await session.query('INSERT INTO ledger_1 VALUES ($1)', [id]);
    await session.query('UPDATE bank_2 SET balance = balance + 1 WHERE id = $1', [account]);
    await session.query('INSERT INTO ledger_2 VALUES ($1)', [id]);
    await session.query('COMMIT');
  }
}
