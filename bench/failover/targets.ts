import { Client } from 'pg';
import type { HostPort } from '../../src/core/model.ts';
import { closeMysql, MysqlSession, openMysql, type MysqlLink } from '../../src/engines/mysql/connection.ts';
import type { WriteTarget } from './writer.ts';

/** An application's patience with one server, of which it knows others: then it drops the connection and tries the next. */
const patienceMs = 1000;
/** A compute node is the only address that an application knows: it waits until nobody would. */
const hungMs = 30_000;

interface Login {
  readonly user: string;
  readonly password: string;
}

async function within<T>(work: Promise<T>, giveUp: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      giveUp();
      reject(new Error(`no answer within ${String(hungMs)} ms`));
    }, hungMs);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Through a compute node. The session is kept, whatever its statements say, as long as it answers. */
export class ComputeTarget implements WriteTarget {
  readonly #options: HostPort & Login;
  #client: Client | null = null;
  /** Sessions that were given up because a statement had no answer. */
  hung = 0;
  /** Sessions that the compute node ended. */
  broken = 0;

  constructor(options: HostPort & Login) {
    this.#options = options;
  }

  async write(id: number): Promise<void> {
    const client = this.#client ?? this.#open();
    await within(
      client.query('INSERT INTO audit VALUES ($1)', [id]).then(() => undefined),
      () => {
        this.hung += 1;
        this.#drop();
      },
    );
  }

  async close(): Promise<void> {
    this.#drop();
  }

  #open(): Client {
    const { hostaddr: host, port, user, password } = this.#options;
    const client = new Client({ host, port, user, password, database: 'postgres' });
    client.on('error', () => {
      if (this.#client !== client) return;
      this.broken += 1;
      this.#client = null;
    });
    client.connect().catch(() => {
      if (this.#client === client) this.#client = null;
    });
    this.#client = client;
    return client;
  }

  #drop(): void {
    const client = this.#client;
    this.#client = null;
    client?.end().catch(() => undefined);
  }
}

/** Directly at whichever of the servers takes writes: after a failure the next one is tried. */
export class DirectTarget implements WriteTarget {
  readonly #servers: readonly HostPort[];
  readonly #login: Login;
  #index = 0;
  #link: MysqlLink | null = null;

  constructor(servers: readonly HostPort[], login: Login) {
    this.#servers = servers;
    this.#login = login;
  }

  async write(id: number): Promise<void> {
    const server = this.#servers[this.#index % this.#servers.length];
    if (server === undefined) throw new Error('there is no server');
    const address = { ...server, ...this.#login, connectTimeoutMs: 300, statementTimeoutMs: patienceMs };
    const never = new AbortController().signal;
    try {
      this.#link ??= await openMysql(address, never);
      await new MysqlSession(address, never, this.#link).execute('INSERT INTO app.direct VALUES (?)', [id]);
    } catch (error) {
      this.#drop();
      this.#index += 1;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#drop();
  }

  #drop(): void {
    if (this.#link !== null) closeMysql(this.#link);
    this.#link = null;
  }
}
