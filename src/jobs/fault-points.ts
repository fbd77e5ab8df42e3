import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { KlusterError } from '../core/errors/kluster-error.ts';

/**
 * A documented facility for tests: places in the engine where a run can be made to die or to fail, to prove that a
 * job survives it. Without the environment variable KLUSTER_FAULT_MODE nothing of it is active.
 *
 *   KLUSTER_FAULT_MODE=kill-everywhere   the process kills itself (SIGKILL) at every point it reaches for the first
 *                                        time; KLUSTER_FAULT_FILE names the file that remembers the points, one a line
 *   KLUSTER_FAULT_MODE=kill-sampled:<n>:<seed>   the same at one point in n, chosen by the seed and the point's name
 *   KLUSTER_FAULT_MODE=kill-undoing      the same at every point on the way back
 *   KLUSTER_FAULT_MODE=stop-everywhere, stop-sampled:<n>:<seed>, stop-undoing   as these, but the process only stops itself (SIGSTOP):
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
const undoing = /^(kill|stop)-undoing$/;
/** `<job_type>:<path>:undo-before`, `<job_type>:undo:before` and the like. */
const onTheWayBack = /:undo[:-]/;
const sampled = /^(kill|stop)-sampled:(\d+):(\d+)$/;
const signals = { kill: 'SIGKILL', stop: 'SIGSTOP' } as const;

function inactive(): void {}

function signalOnce(signal: 'SIGKILL' | 'SIGSTOP', file: string): FaultPoint {
  return (name) => {
    const visited = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    if (visited.includes(name)) return;
    const descriptor = openSync(file, 'a');
    writeSync(descriptor, `${name}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    process.kill(process.pid, signal);
  };
}

/** About one name in `oneIn`; always the same ones for the same seed. */
function isSampled(name: string, oneIn: number, seed: string): boolean {
  return createHash('sha256').update(`${seed} ${name}`).digest().readUInt32BE(0) % oneIn === 0;
}

function failAt(point: string): FaultPoint {
  return (name) => {
    if (name === point) throw new KlusterError('internal', `fault injected at ${name}`);
  };
}

/** Where the process is to die or to stop; undefined when the mode is none of these. */
function signalled(mode: string): { how: keyof typeof signals; at: (name: string) => boolean } | undefined {
  const how = (text: string | undefined) => (text === 'stop' ? 'stop' : 'kill');
  const all = everywhere.exec(mode);
  if (all !== null) return { how: how(all[1]), at: () => true };
  const back = undoing.exec(mode);
  if (back !== null) return { how: how(back[1]), at: (name) => onTheWayBack.test(name) };
  const [, verb, oneIn, seed] = sampled.exec(mode) ?? [];
  if (oneIn === undefined || seed === undefined || Number(oneIn) < 1) return undefined;
  return { how: how(verb), at: (name) => isSampled(name, Number(oneIn), seed) };
}

function faultPointOf(mode: string, environment: NodeJS.ProcessEnv): FaultPoint {
  if (mode.startsWith(failPrefix)) return failAt(mode.slice(failPrefix.length));
  const found = signalled(mode);
  if (found === undefined) throw new TypeError(`KLUSTER_FAULT_MODE ${mode} is not understood`);
  const file = environment['KLUSTER_FAULT_FILE'];
  if (file === undefined || file === '') throw new TypeError('KLUSTER_FAULT_FILE is not set');
  const send = signalOnce(signals[found.how], file);
  return (name) => {
    if (found.at(name)) send(name);
  };
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
