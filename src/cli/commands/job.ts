import { InvalidArgumentError, Option, type Command } from 'commander';
import type { JobJson, JobSummaryJson } from '../../core/rest-types.ts';
import { connectManager, type CliContext, type GlobalOptions } from '../context.ts';
import { formatTable, printable, type Column } from '../table.ts';
import { printJson, printLine } from '../terminal.ts';
import { outcomeLine } from '../watch-job.ts';
import { followJob } from './job-types.ts';

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly status?: string;
  readonly jobType?: string;
  readonly json?: boolean;
}

const columns: readonly Column<JobSummaryJson>[] = [
  { title: 'job', value: (job) => job.job_id },
  { title: 'type', value: (job) => job.job_type },
  { title: 'status', value: (job) => job.status },
  { title: 'phase', value: (job) => job.phase },
  { title: 'progress', value: (job) => `${String(Math.round(job.progress))}%` },
  { title: 'user', value: (job) => job.user_name },
  { title: 'submitted', value: (job) => job.submitted_at.slice(0, 19).replace('T', ' ') },
  { title: 'error', value: (job) => job.error?.message },
];

export function positiveNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a positive whole number.');
  return Number(text);
}

/** `kluster job list|show|watch|cancel|retry`. */
export function addJobCommands(program: Command, context: CliContext): void {
  const job = program.command('job').description('List, show, watch, cancel and repeat jobs');
  addList(job, context);
  addShow(job, context);
  addWatch(job, context);
  addCancel(job, context);
  addRetry(job, context);
}

function addList(job: Command, context: CliContext): void {
  job
    .command('list')
    .description('List jobs, newest first')
    .option('--limit <number>', 'at most so many', positiveNumber, 20)
    .addOption(
      new Option('--status <word>', 'only jobs with this status').choices([
        'not_started',
        'ongoing',
        'done',
        'failed',
      ]),
    )
    .option('--job-type <name>', 'only jobs of this type')
    .option('--json', 'print JSON, for programs')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>();
      const api = await connectManager(context, options);
      const { limit, status, jobType } = options;
      const list = await api.jobs({
        limit,
        ...(status === undefined ? {} : { status }),
        ...(jobType === undefined ? {} : { job_type: jobType }),
      });
      if (options.json === true) printJson(context.terminal, list);
      else printLine(context.terminal, formatTable(columns, list.jobs));
    });
}

function idCommand(
  job: Command,
  name: string,
  description: string,
  act: (
    id: number,
    options: GlobalOptions & { readonly json?: boolean; readonly watch?: boolean },
  ) => Promise<void>,
): Command {
  return job
    .command(name)
    .description(description)
    .argument('<id>', 'job id', positiveNumber)
    .option('--json', 'print JSON, for programs')
    .action(async (id: number, _options: unknown, command: Command) => {
      await act(id, command.optsWithGlobals());
    });
}

function addShow(job: Command, context: CliContext): void {
  idCommand(job, 'show', 'Show a job with its steps', async (id, options) => {
    const shown = await (await connectManager(context, options)).job(id);
    if (options.json === true) printJson(context.terminal, shown);
    else printLine(context.terminal, describeJob(shown));
  });
}

function addWatch(job: Command, context: CliContext): void {
  idCommand(job, 'watch', 'Show the progress of a job and wait for its end', async (id, options) => {
    const api = await connectManager(context, options);
    await followJob(context, api, { id, json: options.json === true });
  });
}

function addCancel(job: Command, context: CliContext): void {
  idCommand(job, 'cancel', 'Stop a job and undo what it did', async (id, options) => {
    const cancelled = await (await connectManager(context, options)).cancel(id);
    if (options.json === true) printJson(context.terminal, cancelled);
    else printLine(context.terminal, `job ${String(id)}: cancel requested`);
  });
}

function addRetry(job: Command, context: CliContext): void {
  idCommand(job, 'retry', 'Submit a failed job again', async (id, options) => {
    const api = await connectManager(context, options);
    const again = await api.retry(id);
    if (options.watch === true) {
      await followJob(context, api, { id: again.job_id, json: options.json === true });
    } else if (options.json === true) printJson(context.terminal, again);
    else printLine(context.terminal, `job ${String(again.job_id)} accepted, repeats job ${String(id)}`);
  }).option('-w, --watch', 'show progress and wait for the end');
}

function describeJob(job: JobJson): string {
  const steps = formatTable(
    [
      { title: 'step', value: (step) => step.path },
      { title: 'state', value: (step) => step.state },
      { title: 'attempt', value: (step) => step.attempt },
      { title: 'title', value: (step) => step.title },
      { title: 'reason', value: (step) => step.reason },
    ],
    job.steps,
  );
  const notes = job.notes.map((note) => `note: ${printable(note)}`);
  const head =
    job.phase === 'ended'
      ? outcomeLine(job)
      : `job ${String(job.job_id)} ${job.job_type}: ${job.phase}, ${String(Math.round(job.progress))}%`;
  return [printable(head), `paras: ${printable(JSON.stringify(job.paras))}`, ...notes, steps].join('\n');
}
