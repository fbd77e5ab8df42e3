import { joinGroup, leaveGroup, ownGroupState } from '../engines/mysql/group.ts';
import type { SqlSession } from '../engines/sql.ts';

/**
 * Seconds as a rule; a minute when the group loses its majority meanwhile, which then would not be looked at. The statement goes on
 * in the server without us, which refuses another one until it has ended (seen with 9.7).
 */
const joinPatienceMs = 5000;

/** Makes a server that is down in its group, or was expelled, a member again. */
export async function joinAgain(session: SqlSession): Promise<void> {
  if ((await ownGroupState(session)) === 'ERROR') await leaveGroup(session);
  // A member that was expelled has shut its clients out (group_replication_exit_state_action).
  await session.execute('SET GLOBAL offline_mode = OFF');
  await joinGroup(session, joinPatienceMs);
}
