import { engineUserName, lookUpUser, type EngineUser } from '../../src/engines/engine-user.ts';
import { SetupError, progress } from './report.ts';
import { runOrFail } from './run-program.ts';

/**
 * Makes the system user that engines run as. Without root it is not needed: an agent without root runs engines as
 * its own user.
 */
export async function makeEngineUser(): Promise<EngineUser | undefined> {
  const present = await lookUpUser(engineUserName);
  if (present !== undefined || process.getuid?.() !== 0) return present;
  progress(`making the system user ${engineUserName}`);
  await runOrFail(
    [
      'useradd',
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir=/nonexistent',
      '--shell=/usr/sbin/nologin',
      '--comment=Kluster database engines',
      engineUserName,
    ],
    `Make a system user named ${engineUserName} with the tools of this system, then run setup again.`,
  );
  const made = await lookUpUser(engineUserName);
  if (made === undefined)
    throw new SetupError(`the user ${engineUserName} is not found after it was made`, 'Report this.');
  return made;
}
