import { withDeadline } from '../core/abort.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import type { ComputeNode } from '../core/model.ts';
import {
  closePostgres,
  openPostgres,
  PostgresSession,
  type PostgresLink,
} from '../engines/postgres/connection.ts';
import type { SqlAddress } from '../engines/sql.ts';
import { pushTopology, pushTopologyIn } from './push-topology.ts';
import type { ShardContext } from './shard-context.ts';

type Context = Pick<ShardContext, 'catalog' | 'comps' | 'accounts'>;

const connectTimeoutMs = 2000;
const statementTimeoutMs = 2000;

/** One text per compute node, in words. */
interface Rerouted {
  readonly done: readonly string[];
  readonly failed: readonly string[];
}

interface Route {
  readonly comp: ComputeNode;
  readonly address: SqlAddress;
  readonly link: Promise<PostgresLink>;
}

/**
 * Sessions with all compute nodes that serve, opened before a primary moves, since clients wait for the route: a compute
 * node that is told in a session that is open knows it some 50 ms earlier.
 */
export class Rerouting {
  readonly #catalog: ShardContext['catalog'];
  readonly #signal: AbortSignal;
  readonly #routes: readonly Route[];

  /** Begins to connect. Whoever makes it closes it. */
  constructor({ catalog, comps, accounts }: Context, signal: AbortSignal) {
    this.#catalog = catalog;
    this.#signal = signal;
    const superuser = accounts.get('compute_superuser');
    const serving = superuser === undefined ? [] : comps.filter(({ status }) => status === 'active');
    this.#routes = serving.map((comp) => {
      const { hostaddr, port } = comp;
      const address = {
        hostaddr,
        port,
        user: '',
        password: '',
        ...superuser,
        connectTimeoutMs,
        statementTimeoutMs,
      };
      const link = openPostgres(address, signal);
      link.catch(() => undefined);
      return { comp, address, link };
    });
  }

  /** Resolves when each compute node is connected to or has refused that. */
  async ready(): Promise<void> {
    await Promise.allSettled(this.#routes.map(({ link }) => link));
  }

  /**
   * Sends the sessions of the compute nodes to the recorded primary, all at once, when it is open: those that came earlier
   * would find it closed, and sleep. A compute node that does not do it in so many milliseconds then does it later: the health
   * loop finds its stale route.
   * @returns in words what was done and what could not be done
   */
  async reroute(opened: Promise<void>, milliseconds: number): Promise<Rerouted> {
    const done: string[] = [];
    const failed: string[] = [];
    await Promise.all(
      this.#routes.map(async (route) => {
        try {
          await this.#tell(route, opened, milliseconds);
          done.push(route.comp.name);
        } catch (error) {
          failed.push(`route of ${route.comp.name}: ${errorText(error)}`);
        }
      }),
    );
    return { done, failed };
  }

  async #tell({ comp, address, link }: Route, opened: Promise<void>, milliseconds: number): Promise<void> {
    const { database, topologies } = this.#catalog;
    const [wanted] = await Promise.all([
      database.read((sql) => topologies.wanted(sql, comp.id), this.#signal),
      opened,
    ]);
    await withDeadline(milliseconds, this.#signal, async (bounded) => {
      const connected = await link.catch(() => null);
      bounded.throwIfAborted();
      if (connected === null) return pushTopology(this.#catalog, comp.id, bounded);
      const session = new PostgresSession(address, bounded, connected);
      return pushTopologyIn(session, this.#catalog, wanted, bounded);
    });
  }

  close(): void {
    for (const { link } of this.#routes) link.then(closePostgres, () => undefined);
  }
}
