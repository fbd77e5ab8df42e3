import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { KlusterError } from '../core/errors/kluster-error.ts';

/**
 * A documented facility for tests: places in the engine where a run can be made to die or to fail, to prove that a
 * job survives it. Without the environment variable KLUSTER_FAULT_MODE nothing of it is active.
 *
 *   KLUSTER_FAULT_MODE=kill-everywhere   the process kills itself (SIGKILL) at every point it reaches for the first
 *                                        time; KLUSTER_FAULT_FILE names the file that remembers the points, one a line
 *   KLUSTER_FAULT_MODE=kill-sampled:<n>:<first>   the same at one point in n, in the order in which they are reached, after
 *                                        the first so many; the file remembers the others as well, behind `- `
 *   KLUSTER_FAULT_MODE=stop-everywhere, stop-sampled:<n>:<first>   as these, but the process only stops itself (SIGSTOP):
 *                                        who has seen the new line in the file kills something else, and continues it
 *   KLUSTER_FAULT_MODE=fail:<point>      the named point throws an error that is not repeated
 *
 * Several modes, separated by commas, act in the order given: `kill-everywhere,fail:<point>` first kills at the point,
 * and fails there when the point is reached again.
 *
 * Points of a step: `<job_type>:<path>:<place>` with the places `before`, `after-run` (its output is not stored yet),
 * `after-store`, and `undo-before`, `undo-after-run`, `undo-after-store`, and those that the step itself names. Points of the job: `<job_type>:` and one of
 * `prepare:before|after-run|after-store`, `point-of-no-return:before|after-store`, `undo:before|after-store` (around the
 * decision to undo), `end:before` (all steps are done), `end:after-store`. A failure at `undo:…` is none that the job
 * could handle: the job is set aside until the next start.
 */
export type FaultPoint = (name: string) => void;

const failPrefix = 'fail:';
const everywhere = /^(kill|stop)-everywhere$/;
const sampled = /^(kill|stop)-sampled:(\d+):(\d+)$/;
const signals = { kill: 'SIGKILL', stop: 'SIGSTOP' } as const;
/** Before a point at which nothing happened. */
const passed = '- ';

function inactive(): void {}

interface Signalling {
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  readonly oneIn: number;
  /** Points that are passed before that at which it happens first. */
  readonly first: number;
}

function signalOnce({ signal, oneIn, first }: Signalling, file: string): FaultPoint {
  return (name) => {
    const visited = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    if (visited.includes(name) || visited.includes(`${passed}${name}`)) return;
    const isTurn = visited.length % oneIn === first % oneIn;
    const descriptor = openSync(file, 'a');
    writeSync(descriptor, `${isTurn ? '' : passed}${name}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    if (isTurn) process.kill(process.pid, signal);
  };
}

function failAt(point: string): FaultPoint {
  return (name) => {
    if (name === point) throw new KlusterError('internal', `fault injected at ${name}`);
  };
}

/** Where the process is to die or to stop; undefined when the mode is none of these. */
function signalled(mode: string): Signalling | undefined {
  const how = (text: string | undefined) => signals[text === 'stop' ? 'stop' : 'kill'];
  const all = everywhere.exec(mode);
  if (all !== null) return { signal: how(all[1]), oneIn: 1, first: 0 };
  const [, verb, oneIn, first] = sampled.exec(mode) ?? [];
  if (oneIn === undefined || first === undefined || Number(oneIn) < 1) return undefined;
  return { signal: how(verb), oneIn: Number(oneIn), first: Number(first) };
}

function faultPointOf(mode: string, environment: NodeJS.ProcessEnv): FaultPoint {
  if (mode.startsWith(failPrefix)) return failAt(mode.slice(failPrefix.length));
  const found = signalled(mode);
  if (found === undefined) throw new TypeError(`KLUSTER_FAULT_MODE ${mode} is not understood`);
  const file = environment['KLUSTER_FAULT_FILE'];
  if (file === undefined || file === '') throw new TypeError('KLUSTER_FAULT_FILE is not set');
  return signalOnce(found, file);
}

/** The fault points that the environment asks for. Throws on a mode that does not exist: a typo must not pass a test. */
export function faultPointsOf(environment: NodeJS.ProcessEnv): FaultPoint {
  const modes = environment['KLUSTER_FAULT_MODE'];
  if (modes === undefined || modes === '') return inactive;
  const points = modes.split(',').map((mode) => faultPointOf(mode, environment));
  return (name) => {
    for (const point of points) point(name);
  };
}
