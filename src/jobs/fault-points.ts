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
const samplePrefix = 'kill-sampled:';

function inactive(): void {}

function killOnce(file: string): FaultPoint {
  return (name) => {
    const visited = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    if (visited.includes(name)) return;
    const descriptor = openSync(file, 'a');
    writeSync(descriptor, `${name}\n`);
    fsyncSync(descriptor);
    closeSync(descriptor);
    process.kill(process.pid, 'SIGKILL');
  };
}

/** About one name in `oneIn`; always the same ones for the same seed. */
function isSampled(name: string, oneIn: number, seed: string): boolean {
  return createHash('sha256').update(`${seed} ${name}`).digest().readUInt32BE(0) % oneIn === 0;
}

function killSampled(text: string, file: string): FaultPoint {
  const [, oneIn, seed] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (oneIn === undefined || seed === undefined || Number(oneIn) < 1) {
    throw new TypeError(`KLUSTER_FAULT_MODE ${samplePrefix}${text} is not understood`);
  }
  const kill = killOnce(file);
  return (name) => {
    if (isSampled(name, Number(oneIn), seed)) kill(name);
  };
}

function failAt(point: string): FaultPoint {
  return (name) => {
    if (name === point) throw new KlusterError('internal', `fault injected at ${name}`);
  };
}

function faultPointOf(mode: string, environment: NodeJS.ProcessEnv): FaultPoint {
  if (mode.startsWith(failPrefix)) return failAt(mode.slice(failPrefix.length));
  const sampled = mode.startsWith(samplePrefix);
  if (mode !== 'kill-everywhere' && !sampled) throw new TypeError(`KLUSTER_FAULT_MODE ${mode} is not known`);
  const file = environment['KLUSTER_FAULT_FILE'];
  if (file === undefined || file === '') throw new TypeError('KLUSTER_FAULT_FILE is not set');
  return sampled ? killSampled(mode.slice(samplePrefix.length), file) : killOnce(file);
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
