import { progress } from './report.ts';
import { runOrFail, runProgram } from './run-program.ts';

/** The host's own packages, by apt-get. One setup at a time changes them. */
export const hostPackagesLock = '/run/lock/kluster-setup.lock';
const aptDeadlineMs = 30 * 60_000;
const aptAdvice =
  'Check the network and the package sources of this machine (`apt-get update`), then run setup again.';

export async function updateLists(): Promise<void> {
  progress('updating the package lists of this machine');
  await runOrFail(['apt-get', '--quiet', '--error-on=any', 'update'], aptAdvice, {
    deadlineMs: aptDeadlineMs,
  });
}

/** Installs packages of the host's own suite, with newer lists when the known ones are out of date. */
export async function aptInstall(names: readonly string[]): Promise<void> {
  progress(`installing ${names.join(' and ')}`);
  const install = [
    'apt-get',
    '--quiet',
    '--assume-yes',
    '--no-install-recommends',
    'install',
    ...names,
  ] as const;
  const options = {
    deadlineMs: aptDeadlineMs,
    environment: { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' },
  };
  const waiting = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold'];
  const first = await runProgram([...install, ...waiting], options);
  if (first.status === 0) return;
  // Lists that are out of date name versions that the mirror no longer has.
  await updateLists();
  await runOrFail([...install, ...waiting], aptAdvice, options);
}
