import { KlusterError } from '../../core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../../core/model.ts';
import {
  followSource,
  readChannel,
  startChannel,
  type ReplicationAccount,
} from '../../engines/mysql/channel.ts';
import { withMysql } from '../../engines/mysql/connection.ts';
import {
  bootstrapGroup,
  groupMembers,
  joinGroup,
  ownGroupState,
  prepareMember,
  type GroupMemberState,
} from '../../engines/mysql/group.ts';
import { makeWritable } from '../../engines/mysql/read-only.ts';
import { readSemiSync, requireAcknowledgements } from '../../engines/mysql/semi-sync.ts';
import { until } from './until.ts';

export interface ShardMember extends HostPort {
  readonly groupReplicationPort: number;
}

/** A shard whose servers run, empty and read-only, and have never replicated. */
export interface FreshShard {
  readonly name: string;
  /** The first is to be the primary. */
  readonly members: readonly [ShardMember, ...ShardMember[]];
  readonly management: ReplicationAccount;
  readonly replication: ReplicationAccount;
}

const joinWaitMs = 60_000;

/** no_rep: the only node is opened for writes. */
export async function openSingleNode(shard: FreshShard, signal: AbortSignal): Promise<void> {
  await withMysql({ ...shard.members[0], ...shard.management }, signal, makeWritable);
}

/**
 * rbr: replicas follow the first node; once as many of them are connected as a commit needs acknowledgements, it is
 * opened for writes. Semi-sync is on before the first write can happen.
 */
export async function startSemiSyncShard(
  shard: FreshShard,
  fullsyncLevel: number,
  signal: AbortSignal,
): Promise<void> {
  const [primary, ...replicas] = shard.members;
  await withMysql({ ...primary, ...shard.management }, signal, (session) =>
    requireAcknowledgements(session, fullsyncLevel),
  );
  await Promise.all(
    replicas.map((replica) =>
      withMysql({ ...replica, ...shard.management }, signal, async (session) => {
        const channel = await readChannel(session);
        if (channel === null) await followSource(session, primary, shard.replication);
        else if (!channel.receiverRunning || !channel.applierRunning) await startChannel(session);
      }),
    ),
  );
  await withMysql({ ...primary, ...shard.management }, signal, async (session) => {
    await until(
      signal,
      joinWaitMs,
      `replicas of ${shard.name} connected to ${colonAddress(primary)}`,
      async () => {
        const { clients } = await readSemiSync(session);
        return clients >= replicas.length ? true : `${String(clients)} of ${String(replicas.length)}`;
      },
    );
    await makeWritable(session);
  });
}

type GroupEntry = 'runs' | 'founds' | 'joins';

const isIn = (state: GroupMemberState): boolean => state === 'ONLINE' || state === 'RECOVERING';

/**
 * How each member gets into the group, the founder first. The founder founds it once: when it was restarted meanwhile and
 * others are in, it joins what it has founded, for founding again would make two groups.
 */
export function groupEntries(
  founder: GroupMemberState,
  others: readonly GroupMemberState[],
): readonly [GroupEntry, ...GroupEntry[]] {
  const entry = (state: GroupMemberState): GroupEntry => (isIn(state) ? 'runs' : 'joins');
  const founds = !isIn(founder) && !others.some(isIn);
  return [founds ? 'founds' : entry(founder), ...others.map(entry)];
}

function groupStateOf(shard: FreshShard, member: ShardMember, signal: AbortSignal) {
  return withMysql({ ...member, ...shard.management }, signal, ownGroupState);
}

/** mgr: the first node founds the group, the others join it; those that are in it already stay. */
export async function startGroupShard(shard: FreshShard, signal: AbortSignal): Promise<void> {
  const seeds = shard.members.map(({ hostaddr, groupReplicationPort }) => ({
    hostaddr,
    port: groupReplicationPort,
  }));
  const settings = { seeds, recovery: shard.replication };
  const [founder, ...others] = shard.members;
  const [founderState, ...states] = await Promise.all([
    groupStateOf(shard, founder, signal),
    ...others.map((member) => groupStateOf(shard, member, signal)),
  ]);
  const [first, ...rest] = groupEntries(founderState, states);
  const enter = async (member: ShardMember, entry: GroupEntry | undefined): Promise<void> => {
    if (entry === undefined || entry === 'runs') return;
    const at = { ...member, ...shard.management, statementTimeoutMs: joinWaitMs };
    await withMysql(at, signal, async (session) => {
      await prepareMember(session, settings);
      await (entry === 'founds' ? bootstrapGroup(session) : joinGroup(session));
    });
  };
  await enter(founder, first);
  await Promise.all(others.map((member, index) => enter(member, rest[index])));
  await withMysql({ ...founder, ...shard.management }, signal, (session) =>
    until(signal, joinWaitMs, `members of ${shard.name} online`, async () => {
      const members = await groupMembers(session);
      if (members.some((member) => member.state === 'ERROR')) {
        throw new KlusterError('engine_sql', `${shard.name}: a member of the group is in state ERROR`);
      }
      const online = members.filter((member) => member.state === 'ONLINE').length;
      return online === shard.members.length ? true : `${String(online)} of ${String(shard.members.length)}`;
    }),
  );
}
