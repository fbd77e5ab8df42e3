import { bootstrapGroup, joinGroup, leaveGroup, ownGroupState } from '../engines/mysql/group.ts';
import type { SqlSession } from '../engines/sql.ts';

/**
 * Seconds as a rule; a minute when the group loses its majority meanwhile, which then would not be looked at. The statement goes on
 * in the server without us, which refuses another one until it has ended (seen with 9.7).
 */
const joinPatienceMs = 5000;

/** Makes a server that is down in its group, or was expelled, a member again. */
export async function joinAgain(session: SqlSession): Promise<void> {
  await leaveFormer(session);
  await joinGroup(session, joinPatienceMs);
}

/** Makes it the first member of its group, of which no other runs; see `bootstrapGroup`. */
export async function foundAgain(session: SqlSession): Promise<void> {
  await leaveFormer(session);
  await bootstrapGroup(session);
}

/**
 * A member that was expelled, or has lost the majority, has shut its clients out (group_replication_exit_state_action), or
 * tries to come back for a quarter of an hour before it does (group_replication_autorejoin_tries): meanwhile it refuses to
 * start, and so would the shard whose other members have all been killed stay down.
 */
async function leaveFormer(session: SqlSession): Promise<void> {
  if ((await ownGroupState(session)) === 'ERROR') await leaveGroup(session);
  await session.execute('SET GLOBAL offline_mode = OFF');
}
