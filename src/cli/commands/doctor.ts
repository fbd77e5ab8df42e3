import type { Command } from 'commander';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import type { DoctorJson } from '../../core/rest-types.ts';
import { connectManager, userName, type CliContext, type GlobalOptions } from '../context.ts';
import { CommandExit, exitCodeOf, usageError } from '../exit.ts';
import type { ManagerApi } from '../manager-api.ts';
import { printable } from '../table.ts';
import { printJson, printLine } from '../terminal.ts';

interface DoctorOptions extends GlobalOptions {
  readonly cluster?: string;
  readonly json?: boolean;
}

/** For scripts that watch an installation; different from those of other commands. */
const doctorExit = { clean: 0, differences: 1, couldNotLook: 2 } as const;

/** `kluster doctor`: every difference between the catalog and what really runs. */
export function addDoctorCommand(program: Command, context: CliContext): void {
  program
    .command('doctor')
    .summary('Compare the catalog with what really runs')
    .description(
      'Compare the catalog with processes, directories, ports, roles, replication, routes and accounts,\n' +
        'and name each difference: what, where, why, and what to do. Changes nothing.\n\n' +
        'Exit codes: 0 nothing differs, 1 something differs, 2 something could not be looked at.',
    )
    .option('--cluster <id>', 'look at this cluster alone')
    .option('--json', 'print JSON, for programs')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DoctorOptions>();
      if (options.cluster !== undefined && !/^\d+$/.test(options.cluster)) {
        throw usageError(`--cluster takes the id of a cluster, not ${options.cluster}`);
      }
      const report = await ask(await connectManager(context, options), options.cluster).catch(
        (error: unknown) => couldNotLook(context, error),
      );
      if (options.json === true) printJson(context.terminal, report);
      else printLine(context.terminal, describe(report));
      if (report.findings.length > 0) throw new CommandExit(doctorExit.differences);
      if (report.not_seen.length > 0) throw new CommandExit(doctorExit.couldNotLook);
    });
}

function couldNotLook(context: CliContext, error: unknown): never {
  if (!(error instanceof KlusterError) || exitCodeOf(error) === doctorExit.couldNotLook) throw error;
  context.terminal.stderr.write(`kluster: ${error.message}\n`);
  throw new CommandExit(doctorExit.couldNotLook);
}

async function ask(api: ManagerApi, cluster: string | undefined): Promise<DoctorJson> {
  const paras = cluster === undefined ? {} : { cluster_id: cluster };
  const reply = await api.submit({ job_type: 'doctor', paras, user_name: userName() });
  const attachment: Json | undefined = reply.attachment;
  if (!isJsonObject(attachment) || !('findings' in attachment)) {
    throw new KlusterError('internal', 'the manager answered without a report');
  }
  return attachment as unknown as DoctorJson;
}

function describe({ clean, findings, not_seen: unseen, jobs_under_way: jobs }: DoctorJson): string {
  const lines = [
    ...findings.flatMap(({ what, where, why, to_do: remedy }) => [
      `${what}: ${where}`,
      `  why    ${why}`,
      `  to do  ${remedy}`,
    ]),
    ...unseen.map(({ where, why }) => `not seen: ${where}: ${why}`),
    ...jobs.map((job) => `under way, not compared: job ${job.job_id} ${job.job_type} (${job.phase})`),
    clean
      ? 'Nothing differs: the catalog is what runs.'
      : `${String(findings.length)} differences, ${String(unseen.length)} not seen`,
  ];
  return lines.map(printable).join('\n');
}
