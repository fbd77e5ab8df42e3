import { access, constants } from 'node:fs/promises';
import { delimiter, join, relative } from 'node:path';
import type { ClusterJson } from '../../core/rest-types.ts';
import { defaultHomeDirectory, type Home } from '../../manager/home.ts';
import { managerUrl, type HomeConfig } from '../../manager/home-config.ts';
import type { CliContext } from '../context.ts';
import { logFileOf } from './servers.ts';

type PrintContext = Pick<CliContext, 'program' | 'environment'>;

/** The words as a shell reads them back. */
export function shellWords(words: readonly string[]): string {
  return words
    .map((word) => (/^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

/** Whether the user's shell would find the program. */
async function isOnPath(program: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const directories = (environment['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  const found = await Promise.all(
    directories.map((directory) =>
      access(join(directory, program), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/**
 * This program as the user may type it here. The home is named unless it is the one taken without any setting: a
 * KLUSTER_HOME that was set for one command only is not there for the next.
 */
function programWords({ context, home }: { readonly context: PrintContext; readonly home: Home }): string[] {
  const program = relative(process.cwd(), context.program) || context.program;
  return home.directory === defaultHomeDirectory({}) ? [program] : [program, '--home', home.directory];
}

/** What a user wants to know when everything runs: addresses, and command lines that can be used as they stand. */
export async function summary(
  installation: { readonly context: PrintContext; readonly home: Home; readonly config: HomeConfig },
  cluster: ClusterJson | undefined,
): Promise<string> {
  const { context, home, config } = installation;
  const program = programWords(installation);
  const lines: (readonly [string, string])[] = [['API', managerUrl(config)]];
  const add = async (
    title: string,
    choice: readonly string[],
    client: readonly [string, ...string[]],
    urlFlags: readonly string[],
  ): Promise<void> => {
    const server = ['--cluster', cluster?.nick_name ?? '', ...choice];
    lines.push([title, shellWords([...program, 'connect', ...server])]);
    if (await isOnPath(client[0], context.environment)) lines.push(['', shellWords(client)]);
    lines.push(['', `(URL with password: ${shellWords([...program, 'url', ...server, ...urlFlags])})`]);
  };
  const [comp] = cluster?.comps ?? [];
  if (comp !== undefined) {
    const { hostaddr, port } = comp;
    const psql = ['psql', '-h', hostaddr, '-p', String(port), '-U', 'abc', 'postgres'] as const;
    await add('SQL', ['--comp', String(comp.comp_id)], psql, ['--application']);
  }
  const [shard] = cluster?.shards ?? [];
  const primary = shard?.nodes.find((node) => node.role === 'source');
  if (shard !== undefined && primary !== undefined) {
    const { hostaddr, port } = primary;
    const mysql = ['mysql', '-h', hostaddr, '-P', String(port), '-u', 'kluster_management', '-p'] as const;
    await add('shard', ['--shard', String(shard.shard_id)], mysql, []);
  }
  lines.push(['logs', shellWords([logFileOf(home, 'manager'), logFileOf(home, 'agent')])]);
  return lines.map(([title, text]) => `  ${title.padEnd(8)}${text}`).join('\n');
}
