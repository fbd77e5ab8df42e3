import type { Command } from 'commander';
import type { JobJson } from '../../core/rest-types.ts';
import { connectManager, userName, type CliContext, type GlobalOptions } from '../context.ts';
import { CommandExit, exitCodes } from '../exit.ts';
import { addJobFlags, flagName, parasFromFlags, type JobCommand } from '../job-flags.ts';
import type { ManagerApi } from '../manager-api.ts';
import { printJson, printLine } from '../terminal.ts';
import { watchJob } from '../watch-job.ts';

interface JobTypeOptions extends GlobalOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly idempotencyKey?: string;
}

/** One command per job type: `create_cluster` → `kluster create-cluster`. */
export function addJobTypeCommands(program: Command, context: CliContext): void {
  for (const job of context.jobs) {
    const command = program
      .command(flagName(job.jobType))
      .summary(job.summary)
      .description(`${job.summary}\n\nJob type ${job.jobType}.`)
      .option('-w, --watch', 'show progress and wait for the end')
      .option('--json', 'print JSON, for programs')
      .option(
        '--idempotency-key <key>',
        'name this request: sent again with the same name, it is not done twice',
      );
    addJobFlags(command, job);
    command.action(async () => {
      await submitJob(context, job, command);
    });
  }
}

async function submitJob(context: CliContext, job: JobCommand, command: Command): Promise<void> {
  const options = command.optsWithGlobals<JobTypeOptions>();
  const paras = await parasFromFlags(job, command);
  const api = await connectManager(context, options);
  const { idempotencyKey } = options;
  const reply = await api.submit(
    { job_type: job.jobType, paras, user_name: userName() },
    idempotencyKey === undefined ? {} : { idempotencyKey },
  );
  if (!('job_id' in reply)) {
    printJson(context.terminal, options.json === true ? reply : reply.attachment);
  } else if (options.watch === true) {
    await followJob(context, api, { id: reply.job_id, json: options.json === true });
  } else if (options.json === true) {
    printJson(context.terminal, reply);
  } else {
    const id = String(reply.job_id);
    printLine(context.terminal, `job ${id} accepted; follow it with: kluster job watch ${id}`);
  }
}

/** Watches a job to its end. Exit code 1 when it failed. */
export async function followJob(
  context: CliContext,
  api: ManagerApi,
  watched: { readonly id: number; readonly json: boolean },
): Promise<JobJson> {
  const { terminal, interrupted } = context;
  let job: JobJson;
  try {
    job = await watchJob(watched.id, { api, terminal, signal: interrupted, quiet: watched.json });
  } catch (error) {
    if (!interrupted.aborted) throw error;
    const id = String(watched.id);
    terminal.stderr.write(`job ${id} goes on; follow it with: kluster job watch ${id}\n`);
    throw new CommandExit(exitCodes.interrupted);
  }
  if (watched.json) printJson(terminal, job);
  if (job.status !== 'done') throw new CommandExit(exitCodes.failed);
  return job;
}
