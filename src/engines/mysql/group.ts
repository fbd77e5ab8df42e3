import { colonAddress, type HostPort } from '../../core/model.ts';
import type { ReplicationAccount } from './channel.ts';
import { numberOf, textOf, textOrNull, type SqlRow, type SqlSession } from '../sql.ts';
import { quoteText } from './quote.ts';

/** As performance_schema.replication_group_members spells them; OFFLINE also when the plugin does not run. */
const groupMemberStates = ['ONLINE', 'RECOVERING', 'OFFLINE', 'ERROR', 'UNREACHABLE'] as const;
export type GroupMemberState = (typeof groupMemberStates)[number];

export interface GroupMember extends HostPort {
  readonly serverUuid: string;
  readonly state: GroupMemberState;
  readonly primary: boolean;
}

const selectMembers = `
  SELECT MEMBER_ID AS uuid, MEMBER_HOST AS hostaddr, MEMBER_PORT AS port, MEMBER_STATE AS state, MEMBER_ROLE AS role,
         MEMBER_ID = @@GLOBAL.server_uuid AS own
    FROM performance_schema.replication_group_members WHERE CHANNEL_NAME = 'group_replication_applier'`;

const parseMember = (row: SqlRow): GroupMember => ({
  serverUuid: textOf(row, 'uuid'),
  hostaddr: textOf(row, 'hostaddr'),
  port: textOrNull(row, 'port') === null ? 0 : numberOf(row, 'port'),
  state: memberState(row),
  primary: textOf(row, 'role') === 'PRIMARY',
});

function memberState(row: SqlRow): GroupMemberState {
  const word = textOf(row, 'state');
  const state = groupMemberStates.find((known) => known === word);
  if (state === undefined) throw new TypeError(`unknown group member state ${word}`);
  return state;
}

/** Its own state, and the group as this server sees it, of one moment. */
export async function readGroup(
  session: Pick<SqlSession, 'query'>,
): Promise<{ readonly own: GroupMemberState; readonly members: readonly GroupMember[] }> {
  const rows = await session.query(`${selectMembers} ORDER BY MEMBER_ID = @@GLOBAL.server_uuid DESC`);
  const [first] = rows;
  const own = first !== undefined && numberOf(first, 'own') === 1 ? memberState(first) : 'OFFLINE';
  return { own, members: rows.map(parseMember) };
}

/** The group as this server sees it; empty or one OFFLINE member when it is in none. */
export async function groupMembers(session: SqlSession): Promise<readonly GroupMember[]> {
  return (await session.rows(selectMembers)).map(parseMember);
}

/** The state of the server itself within its group. */
export async function ownGroupState(session: SqlSession): Promise<GroupMemberState> {
  const [row] = await session.rows(
    `SELECT MEMBER_STATE AS state FROM performance_schema.replication_group_members
      WHERE CHANNEL_NAME = 'group_replication_applier' AND MEMBER_ID = @@GLOBAL.server_uuid`,
  );
  return row === undefined ? 'OFFLINE' : memberState(row);
}

export interface GroupSettings {
  /** Addresses of the group protocol (not of SQL) of all members. */
  readonly seeds: readonly HostPort[];
  readonly recovery: ReplicationAccount;
}

/** Tells a member, also one that runs, which members there are: it lets nobody else in. */
export async function setGroupAddresses(session: SqlSession, seeds: readonly HostPort[]): Promise<void> {
  const hosts = [...new Set(seeds.map((seed) => seed.hostaddr))];
  await session.execute('SET PERSIST group_replication_group_seeds = ?', [
    seeds.map((seed) => colonAddress(seed)).join(','),
  ]);
  await session.execute('SET PERSIST group_replication_ip_allowlist = ?', [hosts.join(',')]);
}

/** Tells a member that does not run yet where the others are and how to fetch what it misses. */
export async function prepareMember(session: SqlSession, settings: GroupSettings): Promise<void> {
  await setGroupAddresses(session, settings.seeds);
  await session.execute('SET PERSIST group_replication_recovery_use_ssl = ON');
  await session.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_USER = ${quoteText(settings.recovery.user)},
       SOURCE_PASSWORD = ${quoteText(settings.recovery.password)} FOR CHANNEL 'group_replication_recovery'`,
  );
}

const foundNothing = 'SET GLOBAL group_replication_bootstrap_group = OFF';

/**
 * Founds the group. The caller has proved that no member of it is running and that this server holds all that was
 * ever committed in it: founding it twice makes two groups that both accept writes.
 */
export async function bootstrapGroup(session: SqlSession): Promise<void> {
  await session.execute('SET GLOBAL group_replication_bootstrap_group = ON');
  try {
    await session.query('START GROUP_REPLICATION');
  } finally {
    await session.execute(foundNothing);
  }
}

/**
 * Whoever was told to found the group may have been cut off before that was taken back: then a START would make a second one.
 * @param timeoutMs how long the caller waits for START; default: as for every statement of the session
 */
export async function joinGroup(session: SqlSession, timeoutMs?: number): Promise<void> {
  await session.execute(foundNothing);
  await session.query('START GROUP_REPLICATION', timeoutMs === undefined ? {} : { timeoutMs });
}

export async function leaveGroup(session: SqlSession): Promise<void> {
  await session.query('STOP GROUP_REPLICATION');
}

/** The name (a UUID) of the group that the server belongs to, whether it runs or not. */
export async function groupName(session: SqlSession): Promise<string> {
  const [row] = await session.rows('SELECT @@GLOBAL.group_replication_group_name AS name');
  return row === undefined ? '' : textOf(row, 'name');
}

/**
 * Makes another ONLINE member the primary of the group. Clients whose transactions still run after `seconds` are
 * disconnected; returns when the new primary has applied what the old one had committed.
 */
export async function electPrimary(session: SqlSession, uuid: string, seconds: number): Promise<void> {
  await session.query(
    `SELECT group_replication_set_as_primary(${quoteText(uuid)}, ${String(Math.trunc(seconds))}) AS result`,
  );
}
