import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianMirror, type SourceFile } from './debian-mirror.ts';
import { SetupError } from './report.ts';
import { runOrFail } from './run-program.ts';

const hostSources = '/etc/apt';
const debianKeyrings = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];
const downloadDeadlineMs = 20 * 60_000;
const networkAdvice =
  'Check the network and the package sources of this machine (`apt-get update`), then run setup again.';

/**
 * Downloads packages of a Debian suite with everything they need, without touching the host's own package state: apt
 * gets its own lists and cache and an empty dpkg status, so that "everything they need" includes the C library.
 * Proxy, certificates and credentials come from the machine's apt configuration.
 * @returns paths of the .deb files, below `directory`.
 */
export async function downloadPackages(
  directory: string,
  suite: string,
  packages: readonly string[],
): Promise<readonly string[]> {
  const configuration = await writeConfiguration(directory, suite);
  const apt = ['apt-get', '-c', configuration, '--quiet', '--assume-yes'] as const;
  const options = { deadlineMs: downloadDeadlineMs };
  await runOrFail([...apt, '--error-on=any', 'update'], networkAdvice, options);
  await runOrFail(
    [...apt, '--download-only', '--no-install-recommends', 'install', ...packages],
    networkAdvice,
    options,
  );
  const archives = join(directory, 'cache', 'archives');
  const names = await readdir(archives);
  return names.filter((name) => name.endsWith('.deb')).map((name) => join(archives, name));
}

/** The configuration is given with -c, which apt reads after the machine's own files; see apt.conf(5). */
async function writeConfiguration(directory: string, suite: string): Promise<string> {
  const mirror = await mirrorOfThisMachine();
  const keyring = await firstReadable(debianKeyrings);
  for (const name of ['state', 'lists/partial', 'cache/archives/partial', 'none']) {
    await mkdir(join(directory, name), { recursive: true });
  }
  const path = (name: string): string => JSON.stringify(join(directory, name));
  await writeFile(join(directory, 'status'), '');
  await writeFile(join(directory, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`, {
    mode: 0o600,
  });
  const configuration = [
    `Dir::State ${path('state')};`,
    `Dir::State::lists ${path('lists')};`,
    `Dir::State::status ${path('status')};`,
    `Dir::Cache ${path('cache')};`,
    `Dir::Cache::archives ${path('cache/archives')};`,
    `Dir::Etc::sourcelist ${path('sources.list')};`,
    `Dir::Etc::sourceparts ${path('none')};`,
    `Dir::Etc::preferences ${path('none/preferences')};`,
    `Dir::Etc::preferencesparts ${path('none')};`,
    `APT::Default-Release "";`,
    `APT::Sandbox::User "root";`,
    // Descriptions, icons and the host's hooks are of no use here.
    `Acquire::Languages "none";`,
    `Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";`,
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg::Pre-Install-Pkgs;',
    '',
  ];
  const file = join(directory, 'apt.conf');
  await writeFile(file, configuration.join('\n'));
  return file;
}

async function mirrorOfThisMachine(): Promise<string> {
  const codename = /^VERSION_CODENAME="?([\w.-]+)"?$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  const mirror = codename === undefined ? undefined : debianMirror(await hostSourceFiles(), codename);
  if (mirror === undefined) {
    const where = `apt's sources in ${hostSources} name no mirror of Debian ${codename ?? '(of an unknown release)'}`;
    throw new SetupError(
      where,
      'Setup installs MySQL on Debian only. On another system install MySQL 8.4 or newer yourself; ' +
        'it is found in /usr, /usr/local and /usr/local/mysql.',
    );
  }
  return mirror;
}

async function hostSourceFiles(): Promise<SourceFile[]> {
  const parts = join(hostSources, 'sources.list.d');
  const names = await readdir(parts).catch(() => []);
  const used = names.filter((name) => name.endsWith('.list') || name.endsWith('.sources')).toSorted();
  const paths = [join(hostSources, 'sources.list'), ...used.map((name) => join(parts, name))];
  return Promise.all(
    paths.map(async (name) => ({ name, text: await readFile(name, 'utf8').catch(() => '') })),
  );
}

async function firstReadable(files: readonly string[]): Promise<string> {
  for (const file of files) {
    const readable = await readFile(file).then(
      () => true,
      () => false,
    );
    if (readable) return file;
  }
  throw new SetupError(
    `the keyring of Debian's archive is not on this machine (${files.join(', ')})`,
    'Run `apt-get install debian-archive-keyring` as root, then run setup again.',
  );
}
