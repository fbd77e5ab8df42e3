import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { ManagerApi } from '../../../src/cli/manager-api.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';
import { watchJob } from '../../../src/cli/watch-job.ts';
import type { JobEventJson, JobJson, StepJson } from '../../../src/core/rest-types.ts';

class Sink extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function step(path: string, state: string, changes: Partial<StepJson> = {}): StepJson {
  return {
    path,
    title: `make ${path}`,
    state,
    attempt: 1,
    started_at: null,
    ended_at: null,
    output: null,
    reason: null,
    weight: 1,
    ...changes,
  };
}

function job(changes: Partial<JobJson>): JobJson {
  return {
    job_id: 7,
    job_type: 'create_cluster',
    status: 'ongoing',
    phase: 'forward',
    user_name: 'root',
    submitted_at: '2026-01-01T00:00:00.000Z',
    started_at: '2026-01-01T00:00:00.000Z',
    ended_at: null,
    progress: 50,
    error: null,
    paras: {},
    prepared: null,
    cancel_requested: false,
    cancellable: true,
    waiting_for: [],
    steps: [],
    notes: [],
    retry_of: null,
    attachment: null,
    ...changes,
  };
}

/** A manager that shows these states of one job, one after each event. */
function managerShowing(states: readonly JobJson[]): ManagerApi {
  const left = [...states];
  const unused = (): never => {
    throw new Error('not asked for when watching');
  };
  return {
    submit: unused,
    jobs: unused,
    cancel: unused,
    retry: unused,
    status: unused,
    machines: unused,
    clusters: unused,
    job: () => {
      const [state] = left.length > 1 ? left.splice(0, 1) : left;
      if (state === undefined) throw new Error('no state');
      return Promise.resolve(state);
    },
    async *watch(): AsyncGenerator<JobEventJson> {
      for (const sequence of states.keys()) {
        yield await Promise.resolve({ sequence, at: '', type: 'step' });
        await new Promise((resolve) => setTimeout(resolve, 210));
      }
    },
  };
}

async function watched(states: readonly JobJson[], interactive: boolean): Promise<string> {
  const stderr = new Sink();
  const terminal: Terminal = { stdout: new Sink(), stderr, interactive, columns: () => 80 };
  const api = managerShowing(states);
  await watchJob(7, { api, terminal, signal: new AbortController().signal });
  return stderr.text;
}

const failedEnd = job({
  status: 'failed',
  phase: 'ended',
  ended_at: '2026-01-01T00:00:02.500Z',
  steps: [step('a', 'undone'), step('b', 'failed', { reason: 'disk full' })],
  notes: ['two nodes share a machine'],
  error: { kind: 'internal', code: 70_001, message: 'make b: disk full', hint: '' },
});

describe('watching a job', () => {
  test('in a log every change of a step is one line, and the last line tells the end', async () => {
    const states = [
      job({ waiting_for: [{ lock: 'cluster:1', job_id: 6 }] }),
      job({ steps: [step('a', 'running'), step('b', 'waiting')] }),
      job({ steps: [step('a', 'done'), step('b', 'running')] }),
      failedEnd,
    ];
    const text = await watched(states, false);
    expect(text.trimEnd().split('\n')).toEqual([
      'waiting for cluster:1, held by job 6',
      'running  make a',
      'done     make a',
      'running  make b',
      'undone   make a',
      'failed   make b: disk full',
      'note     two nodes share a machine',
      'job 7 create_cluster: failed in 2.5 s: make b: disk full (70001)',
    ]);
  });

  test('on a terminal the picture is drawn over, no line is wider than the terminal, and failures stay', async () => {
    const running = step('a', 'running', { title: 'x'.repeat(200) });
    const text = await watched([job({ steps: [running] }), job({ steps: [running] }), failedEnd], true);
    expect(text).toContain('[###############...............] 50%');
    expect(text).toContain('\u001B[2A');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(90);
    expect(text).toContain('failed   make b: disk full\n');
    expect(text.trimEnd()).toMatch(/make b: disk full \(70001\)$/);
  });
});
