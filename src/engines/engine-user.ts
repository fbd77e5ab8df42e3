import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { KlusterError } from '../core/errors/kluster-error.ts';

const run = promisify(execFile);
const lookupDeadlineMs = 10_000;

/** The system user that `npm run setup` makes; it owns engine processes and their data when the agent is root. */
export const engineUserName = 'kluster';

export interface EngineUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Looks a user up in the machine's user database (passwd, LDAP and what else it is configured for).
 * Undefined when there is none: getent(1) then exits with status 2.
 */
export async function lookUpUser(name: string): Promise<EngineUser | undefined> {
  const entry = await run('getent', ['passwd', '--', name], { timeout: lookupDeadlineMs }).catch(
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 2) return undefined;
      throw error;
    },
  );
  const fields = entry?.stdout.trim().split(':') ?? [];
  const [found, , uid, gid] = fields;
  if (found === undefined || uid === undefined || gid === undefined) return undefined;
  return { name: found, uid: Number(uid), gid: Number(gid) };
}

/**
 * The unprivileged user that engine processes run as: `kluster` when this process is root (mysqld and postgres
 * refuse to run as root), otherwise the user of this process.
 * @throws KlusterError engine_missing when this process is root and the machine has no user `kluster`.
 */
export async function engineUser(): Promise<EngineUser> {
  const { username, uid, gid } = userInfo();
  if (uid !== 0) return { name: username, uid, gid };
  const user = await lookUpUser(engineUserName);
  if (user === undefined) {
    throw new KlusterError(
      'engine_missing',
      `This machine has no user "${engineUserName}", which engines run as when the agent is root`,
    );
  }
  return user;
}
