import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineUser, findMysql, findPostgres } from '../../src/engines/installation.ts';
import { withMysql } from '../../src/engines/mysql/connection.ts';
import {
  bootstrapGroup,
  groupMembers,
  joinGroup,
  ownGroupState,
  prepareMember,
} from '../../src/engines/mysql/group.ts';
import type { SqlSession } from '../../src/engines/sql.ts';
import { configureLoopback } from '../../test/support/loopback.ts';
import { BareMysql } from '../cluster/bare-mysql.ts';
import { DirectTarget } from './targets.ts';
import { Writer } from './writer.ts';

/** Left to the defaults of the server: what a group does that nobody has tuned. */
const defaultOptions = [
  'group_replication_consistency',
  'group_replication_member_expel_timeout',
  'group_replication_unreachable_majority_timeout',
  'group_replication_exit_state_action',
];
const hosts = [41, 42, 43].map((host) => `127.0.24.${String(host)}`);
const account = { user: 'bench', password: 'An0ther-Secret' };
const deadlineMs = 120_000;
const pollMs = 100;

/** Three servers and a group that is made and kept by hand. */
class PlainGroup {
  readonly servers: readonly BareMysql[];

  private constructor(servers: readonly BareMysql[]) {
    this.servers = servers;
  }

  static async start(directory: string): Promise<PlainGroup> {
    const [user, mysql, postgres] = [await engineUser(), await findMysql(), await findPostgres()];
    await mkdir(directory, { recursive: true });
    const servers = hosts.map((hostaddr, index) => {
      const spec = { groupName: 'c0ffee00-0000-4000-8000-000000000001', serverId: index + 1 };
      return new BareMysql({ user, mysql, postgres, hostaddr }, directory, index, { spec, defaultOptions });
    });
    const group = new PlainGroup(servers);
    for (const server of servers) await server.initialise();
    await Promise.all(servers.map((server) => server.start()));
    for (const server of servers) await group.#prepare(server);
    const [first, ...others] = servers;
    if (first === undefined) throw new Error('the group has no servers');
    await on(first, bootstrapGroup);
    await on(first, async (session) => {
      await session.query('CREATE DATABASE app');
      await session.query('CREATE TABLE app.direct (id INT PRIMARY KEY)');
    });
    for (const other of others) await on(other, joinGroup);
    return group;
  }

  async #prepare(server: BareMysql): Promise<void> {
    await server.administer([
      'SET SESSION sql_log_bin = OFF',
      'SET GLOBAL super_read_only = OFF',
      `CREATE USER ${account.user}@'%' IDENTIFIED BY '${account.password}'`,
      `GRANT ALL ON *.* TO ${account.user}@'%'`,
    ]);
    const seeds = this.servers.map(({ groupAt }) => groupAt);
    await on(server, (session) => prepareMember(session, { seeds, recovery: account }));
  }

  async primary(): Promise<BareMysql> {
    for (const server of this.servers) {
      const members = await on(server, groupMembers).catch(() => []);
      const primary = members.find((member) => member.primary && member.state === 'ONLINE');
      const found = this.servers.find(({ at }) => at.port === primary?.port);
      if (found !== undefined) return found;
    }
    throw new Error('the group has no primary');
  }

  /** Starts the server again and lets it join once the others have expelled its former self. */
  async repair(server: BareMysql): Promise<void> {
    await server.start();
    const deadline = performance.now() + deadlineMs;
    while ((await on(server, ownGroupState)) !== 'ONLINE') {
      if (performance.now() > deadline) throw new Error('the killed member does not come back');
      await on(server, joinGroup).catch(() => undefined);
      await sleep(pollMs);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

function on<T>(server: BareMysql, work: (session: SqlSession) => Promise<T>): Promise<T> {
  const address = { ...server.at, ...account, statementTimeoutMs: deadlineMs };
  return withMysql(address, AbortSignal.timeout(deadlineMs), work);
}

/** Milliseconds of each outage that a client sees which writes directly and looks for the new primary itself. */
export async function plainGroupOutages(directory: string, rounds: number): Promise<readonly number[]> {
  const unconfigure = await configureLoopback(hosts);
  const group = await PlainGroup.start(join(directory, 'plain'));
  try {
    const outages: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      outages.push(await strike(group, round * 1_000_000));
      console.error(
        `plain group, round ${String(round)} of ${String(rounds)}: ${String(Math.round(outages.at(-1) ?? 0))} ms`,
      );
    }
    return outages;
  } finally {
    await group.stop();
    await unconfigure();
  }
}

async function strike(group: PlainGroup, first: number): Promise<number> {
  const servers = group.servers.map(({ at }) => at);
  const writer = new Writer(new DirectTarget(servers, account), first);
  await sleep(1000);
  const primary = await group.primary();
  writer.markFault();
  await primary.stop();
  try {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const outage = writer.outageMs();
      if (outage !== null) return outage;
      if (performance.now() > deadline) throw new Error('the plain group does not take writes again');
      await sleep(20);
    }
  } finally {
    await writer.stop();
    await group.repair(primary);
  }
}
