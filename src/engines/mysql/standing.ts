import type { Connection, RowDataPacket } from 'mysql2/promise';
import { colonAddress } from '../../core/model.ts';
import type { StandingSample } from '../engine.ts';
import type { SqlSession } from '../sql.ts';
import { readGroup } from './group.ts';
import { readNodeState } from './node-state.ts';
import { preparedBranches } from './xa.ts';

/** What a storage node says of its part in its shard, over a session of its agent. */
export async function readStanding(connection: Connection): Promise<StandingSample> {
  const session: Pick<SqlSession, 'query'> = {
    query: async (text) => (await connection.query<RowDataPacket[]>(text))[0],
  };
  const state = await readNodeState(session);
  const { members } = await readGroup(session);
  const group = members.map(
    (member) => `${colonAddress(member)} ${member.state}${member.primary ? ' PRIMARY' : ''}`,
  );
  const { channel, superReadOnly, acknowledgements, acknowledgers, acknowledges } = state;
  return {
    role: {
      superReadOnly,
      source: channel === null ? null : colonAddress(channel.source),
      receives: channel?.receiverRunning ?? false,
      applies: channel?.applierRunning ?? false,
      acknowledges,
      acknowledgements,
      acknowledgers,
      group: group.toSorted(),
    },
    commitsWaiting: state.commitsWaiting,
    executed: state.executed,
    prepared: await preparedBranches(session),
  };
}
