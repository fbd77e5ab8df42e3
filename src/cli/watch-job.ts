import type { JobJson, StepJson } from '../core/rest-types.ts';
import type { ManagerApi } from './manager-api.ts';
import { printable } from './table.ts';
import { remark, type Terminal } from './terminal.ts';

export interface WatchOptions {
  readonly api: ManagerApi;
  readonly terminal: Terminal;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** Nothing is shown. */
  readonly quiet?: boolean;
}

/** Shows one state of a job after the other. */
interface ProgressDisplay {
  show(job: JobJson): void;
  end(job: JobJson): void;
}

const silent: ProgressDisplay = { show: () => undefined, end: () => undefined };

/** Least milliseconds between two looks at a job whose steps change quickly. */
const lookMs = 200;

/** Follows a job to its end; progress goes to stderr. Resolves to the job as it ended. */
export async function watchJob(id: number, options: WatchOptions): Promise<JobJson> {
  const { api, terminal, signal } = options;
  const display =
    options.quiet === true
      ? silent
      : terminal.interactive
        ? new LiveDisplay(terminal)
        : new LineDisplay(terminal);
  let shown = Number.NEGATIVE_INFINITY;
  for await (const _event of api.watch(id, { signal })) {
    if (performance.now() - shown < lookMs) continue;
    shown = performance.now();
    const job = await api.job(id);
    if (job.phase === 'ended') break;
    display.show(job);
  }
  signal.throwIfAborted();
  const ended = await api.job(id);
  display.end(ended);
  return ended;
}

/** How a job ended, in one line. */
export function outcomeLine(job: JobJson): string {
  const what = `job ${String(job.job_id)} ${job.job_type}`;
  if (job.status === 'done') return `${what}: done${durationText(job)}`;
  const reason = job.error === null ? '' : `: ${job.error.message} (${String(job.error.code)})`;
  return `${what}: ${job.status}${durationText(job)}${reason}`;
}

function durationText(job: JobJson): string {
  if (job.started_at === null || job.ended_at === null) return '';
  const seconds = (Date.parse(job.ended_at) - Date.parse(job.started_at)) / 1000;
  return ` in ${seconds.toFixed(1)} s`;
}

function waitingText(job: JobJson): string {
  return job.waiting_for
    .map(({ lock, job_id: holder }) => `waiting for ${lock}, held by job ${String(holder)}`)
    .join('; ');
}

function stepLine(step: StepJson): string {
  const attempt = step.attempt > 1 ? ` (attempt ${String(step.attempt)})` : '';
  const reason = step.reason === null ? '' : `: ${step.reason}`;
  return printable(`${step.state.padEnd(8)} ${step.title}${attempt}${reason}`);
}

/** For logs and pipes: one line whenever a step changes. */
class LineDisplay implements ProgressDisplay {
  private readonly terminal: Terminal;
  private readonly seen = new Map<string, string>();
  private notes = 0;
  private waiting = '';

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  show(job: JobJson): void {
    const waiting = waitingText(job);
    if (waiting !== '' && waiting !== this.waiting) remark(this.terminal, waiting);
    this.waiting = waiting;
    for (const step of job.steps) {
      const state = `${step.state} ${String(step.attempt)} ${step.reason ?? ''}`;
      const before = this.seen.get(step.path);
      this.seen.set(step.path, state);
      if (state !== before && step.state !== 'waiting') remark(this.terminal, stepLine(step));
    }
    for (const note of job.notes.slice(this.notes)) remark(this.terminal, printable(`note     ${note}`));
    this.notes = job.notes.length;
  }

  end(job: JobJson): void {
    this.show(job);
    remark(this.terminal, printable(outcomeLine(job)));
  }
}

const barWidth = 30;
const shownSteps = 12;
const escape = '\u001B[';

/** For people: a bar and the steps under way, drawn over the previous picture. */
class LiveDisplay implements ProgressDisplay {
  private readonly terminal: Terminal;
  private drawn = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  show(job: JobJson): void {
    const columns = this.terminal.columns();
    this.draw(
      this.picture(job).map((line) =>
        Array.from(printable(line))
          .slice(0, columns - 1)
          .join(''),
      ),
    );
  }

  end(job: JobJson): void {
    const failed = job.steps.filter((step) => step.state === 'failed' || step.state === 'undo_failed');
    const notes = job.notes.map((note) => `note     ${note}`);
    // Whole lines: what stays on the screen may wrap, what is drawn over may not.
    this.draw([...failed.map(stepLine), ...notes, outcomeLine(job)].map(printable));
  }

  private picture(job: JobJson): readonly string[] {
    const full = Math.round((job.progress / 100) * barWidth);
    const bar = `${'#'.repeat(full)}${'.'.repeat(barWidth - full)}`;
    const doing = job.phase === 'undoing' ? 'undoing' : waitingText(job);
    const active = job.steps.filter((step) => ['running', 'undoing', 'failed'].includes(step.state));
    return [
      `job ${String(job.job_id)} ${job.job_type} [${bar}] ${String(Math.round(job.progress))}% ${doing}`,
      ...active.slice(0, shownSteps).map((step) => `  ${stepLine(step)}`),
      ...(active.length > shownSteps ? [`  and ${String(active.length - shownSteps)} more steps`] : []),
    ];
  }

  private draw(lines: readonly string[]): void {
    const up = this.drawn === 0 ? '' : `${escape}${String(this.drawn)}A`;
    this.terminal.stderr.write(`${up}${escape}0J${lines.join('\n')}\n`);
    this.drawn = lines.length;
  }
}
