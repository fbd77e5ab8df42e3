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
import { rounded } from '../support/statistics.ts';
import { DirectTarget } from './targets.ts';
import { Writer } from './writer.ts';

/** Left to the defaults of the server: what a group does that nobody has tuned. */
const defaultOptions = [
  'group_replication_consistency',
  'group_replication_member_expel_timeout',
  'group_replication_unreachable_majority_timeout',
  'group_replication_exit_state_action',
];
/** Of group 0, 1, …, which may run at the same time. */
const hostsOf = (group: number): readonly string[] =>
  [41, 42, 43].map((host) => `127.0.24.${String(host + group * 10)}`);
const account = { user: 'bench', password: 'An0ther-Secret' };
const deadlineMs = 120_000;
const pollMs = 100;

/** Three servers and a group that is made and kept by hand. */
class PlainGroup {
  readonly servers: readonly BareMysql[];

  private constructor(servers: readonly BareMysql[]) {
    this.servers = servers;
  }

  static async start(directory: string, number: number): Promise<PlainGroup> {
    const [user, mysql, postgres] = [await engineUser(), await findMysql(), await findPostgres()];
    await mkdir(directory, { recursive: true });
    const servers = hostsOf(number).map((hostaddr, index) => {
      const spec = { groupName: `c0ffee00-0000-4000-8000-00000000000${String(number)}`, serverId: index + 1 };
      // Group replication binds its port on every address of the host, so no two groups may share ports.
      const input = { user, mysql, postgres, hostaddr };
      return new BareMysql(input, directory, number * hostsOf(number).length + index, {
        spec,
        defaultOptions,
      });
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

/**
 * Kills the primary of a group again and again, and tells `add` the milliseconds of each outage that a client sees which
 * writes directly and looks for the new primary itself, and the number of outages before; until that returns false.
 */
export async function plainGroupOutages(
  directory: string,
  number: number,
  add: (outageMs: number, before: number) => boolean,
): Promise<void> {
  const unconfigure = await configureLoopback(hostsOf(number));
  try {
    const group = await PlainGroup.start(join(directory, `plain${String(number)}`), number);
    try {
      for (let round = 0; add(await strike(group, (round + 1) * 100_000), round); round += 1);
    } finally {
      await group.stop();
    }
  } finally {
    await unconfigure();
  }
}

async function strike(group: PlainGroup, first: number): Promise<number> {
  const servers = group.servers.map(({ at }) => at);
  const writer = new Writer(new DirectTarget(servers, account), first);
  await writer.untilWritten(deadlineMs);
  await sleep(500);
  const primary = await group.primary();
  const struckAt = performance.now();
  await primary.stop();
  try {
    await writer.untilWritten(deadlineMs);
    return rounded(writer.longestGapMs(struckAt), 0);
  } finally {
    await writer.stop();
    await group.repair(primary);
  }
}
