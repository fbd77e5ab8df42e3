import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { jobId } from '../../../src/core/ids.ts';
import { parallel, pointOfNoReturn, serial } from '../../../src/jobs/plan.ts';
import {
  eventsOf,
  failing,
  Gate,
  publicRow,
  scriptedSuite,
  statesOf,
  step,
} from '../../support/scripted-jobs.ts';

const suite = scriptedSuite({ officeFor: 'file' });

describe('a step that fails', () => {
  it('has every started step undone in reverse order, and names itself in the error of the job', async () => {
    const scripted = await suite.start({
      fails: {
        plan: () =>
          serial('job', 'all', [
            step('one'),
            parallel('two', 'both', [step('a'), serial('row', 'row', [step('b'), step('c')])]),
            step('silent', { noUndo: true }),
            failing(),
            step('never'),
          ]),
      },
    });
    const view = await scripted.run('fails');
    expect(view).toMatchObject({
      status: 'failed',
      error: { kind: 'storage_install_failed', code: 70_093, message: 'step bad: no room' },
    });
    const undone = scripted.log.filter((line) => line.startsWith('undo'));
    expect(undone[0]).toBe('undo bad');
    expect(undone.at(-1)).toBe('undo one');
    expect(undone.indexOf('undo c')).toBeLessThan(undone.indexOf('undo b'));
    expect(undone).toHaveLength(5);
    expect(scripted.log).not.toContain('run never');
    expect(statesOf(view)).toEqual({
      one: 'undone',
      'two/a': 'undone',
      'two/row/b': 'undone',
      'two/row/c': 'undone',
      silent: 'done',
      bad: 'undone',
      never: 'skipped',
    });
    expect(view.steps.find(({ path }) => path === 'job/bad')?.reason).toBe('no room');
    expect(await publicRow(suite.database, view.id)).toMatchObject({
      status: 'failed',
      memo: { error_code: 70_093, error_info: 'step bad: no room' },
    });
  });

  it('stops the steps beside it and waits for them before anything is undone', async () => {
    const gate = new Gate();
    const scripted = await suite.start({
      fails: {
        plan: () =>
          parallel('job', 'all', [
            step('slow', {
              run: async ({ signal, services }) => {
                try {
                  await gate.pass(signal);
                } finally {
                  await setTimeout(30);
                  services.log.push('slow has stopped');
                }
                return 'x';
              },
            }),
            step('bad', {
              run: async () => {
                await gate.reached;
                throw new KlusterError('agent_refused', 'refused');
              },
            }),
          ]),
      },
    });
    const view = await scripted.run('fails');
    expect(view.error?.message).toBe('step bad: refused');
    expect(scripted.log.slice(0, 3)).toEqual(['run slow', 'run bad', 'slow has stopped']);
    expect(scripted.log.slice(3).toSorted()).toEqual(['undo bad', 'undo slow']);
    expect(view.steps[0]?.reason).toContain('a step beside it failed');
  });

  it('is repeated while the fault passes, with its reason for those who watch', async () => {
    let attempts = 0;
    const retry = { attempts: 3, firstDelayMs: 5, maximumDelayMs: 10 };
    const scripted = await suite.start({
      flaky: {
        plan: () =>
          step('flaky', {
            retry,
            run: ({ attempt }) => {
              attempts += 1;
              return attempts < 3
                ? Promise.reject(new KlusterError('agent_unreachable', `no answer ${String(attempt)}`))
                : Promise.resolve(attempt);
            },
          }),
      },
      stubborn: {
        plan: () =>
          step('stubborn', {
            retry,
            run: () => Promise.reject(new KlusterError('agent_unreachable', 'no answer')),
          }),
      },
    });
    const view = await scripted.run('flaky');
    expect(view).toMatchObject({ status: 'done', steps: [{ attempt: 3, output: 3, reason: null }] });
    const reasons = (await eventsOf(scripted, view.id)).flatMap((event) =>
      event.type === 'step' && event.reason !== null ? [event.reason] : [],
    );
    expect(reasons.some((reason) => /no answer 1; again in \d/.test(reason))).toBe(true);
    const other = await scripted.run('stubborn');
    expect(other).toMatchObject({
      status: 'failed',
      error: { kind: 'agent_unreachable' },
      steps: [{ attempt: 3 }],
    });
  });

  it('ends at its deadline, which names it', async () => {
    const scripted = await suite.start({
      slow: {
        plan: () =>
          step('slow', {
            deadlineMs: 20,
            retry: { attempts: 1, firstDelayMs: 1, maximumDelayMs: 1 },
            run: async ({ signal }) => (await new Gate().pass(signal), 'x'),
          }),
      },
    });
    const view = await scripted.run('slow');
    expect(view.error).toMatchObject({ kind: 'step_deadline', code: 70_002 });
    expect(view.error?.message).toContain('step "step slow" did not end within 20 ms');
    expect(scripted.log).toEqual(['run slow', 'undo slow']);
  });

  it('is told of in the error of the job when its undo fails, and the rest is undone all the same', async () => {
    const scripted = await suite.start({
      sticky: {
        plan: () =>
          serial('job', 'all', [
            step('one'),
            step('sticky', { undo: () => Promise.reject(new Error('disk is gone')) }),
            failing(),
          ]),
      },
    });
    const view = await scripted.run('sticky');
    expect(statesOf(view)).toEqual({ one: 'undone', sticky: 'undo_failed', bad: 'undone' });
    expect(view.error?.message).toBe('step bad: no room. Not undone: step sticky: disk is gone');
  });

  it('fails the job when its output is not JSON, or when prepare or plan fail', async () => {
    const scripted = await suite.start({
      bad: { plan: () => step('dated', { run: () => Promise.resolve(new Date() as never) }) },
      unprepared: {
        prepare: () => Promise.reject(new KlusterError('cluster_not_found', 'no 7')),
        plan: () => step('x'),
      },
      unplanned: { plan: () => serial('job', 'all', [step('x'), step('x')]) },
    });
    expect((await scripted.run('bad')).error?.message).toContain(
      'output of step dated is an object of class Date',
    );
    expect(await scripted.run('unprepared')).toMatchObject({
      error: { kind: 'cluster_not_found' },
      steps: [],
    });
    expect((await scripted.run('unplanned')).error?.message).toContain('occurs twice');
  });
});

describe('past the point of no return', () => {
  const quick = { attempts: 4, firstDelayMs: 1, maximumDelayMs: 4, isPassing: () => true };

  it('a failing step is repeated whatever its error, and the job goes forward', async () => {
    let attempts = 0;
    const scripted = await suite.start(
      {
        forward: {
          plan: () =>
            serial('job', 'all', [
              step('one'),
              pointOfNoReturn,
              step('two', {
                run: () => {
                  attempts += 1;
                  return attempts < 4 ? Promise.reject(new Error('defect')) : Promise.resolve('x');
                },
              }),
            ]),
        },
      },
      { forwardOnlyRetry: quick },
    );
    expect(await scripted.run('forward')).toMatchObject({ status: 'done', steps: [{}, { attempt: 4 }] });
    expect(scripted.log).not.toContain('undo one');
  });

  it('a job that gives up ends failed without undo, siblings finished, and can be retried', async () => {
    let isBroken = true;
    const scripted = await suite.start(
      {
        broken: {
          plan: () =>
            serial('job', 'all', [
              step('one'),
              pointOfNoReturn,
              parallel('rest', 'rest', [
                step('two', {
                  run: () => (isBroken ? Promise.reject(new Error('defect')) : Promise.resolve('x')),
                }),
                step('beside', {
                  // Long enough to be stopped, if the other step's failure stopped it.
                  run: async ({ signal }) => (await setTimeout(60, undefined, { signal }), 'x'),
                }),
              ]),
            ]),
        },
      },
      { forwardOnlyRetry: quick },
    );
    const view = await scripted.run('broken', { passwd: 'swordfish' });
    expect(view.status).toBe('failed');
    expect(statesOf(view)).toEqual({ one: 'done', 'rest/two': 'failed', 'rest/beside': 'done' });
    expect(scripted.log.filter((line) => line.startsWith('undo'))).toEqual([]);
    isBroken = false;
    const again = await scripted.engine.retry(view.id);
    expect(await scripted.ended(again)).toMatchObject({
      status: 'done',
      retryOf: view.id,
      paras: view.paras,
    });
    expect(await scripted.engine.retry(view.id)).toBe(again);
    await expect(scripted.engine.retry(again)).rejects.toMatchObject({ kind: 'job_not_retryable' });
  });

  it('cancel is refused', async () => {
    const gate = new Gate();
    const scripted = await suite.start({
      past: {
        plan: () =>
          serial('job', 'all', [
            pointOfNoReturn,
            step('gated', { run: async ({ signal }) => (await gate.pass(signal), 'x') }),
          ]),
      },
    });
    const job = await scripted.submit('past');
    await gate.reached;
    expect((await scripted.engine.get(job))?.cancellable).toBe(false);
    await expect(scripted.engine.cancel(job)).rejects.toMatchObject({ kind: 'job_not_cancellable' });
    gate.open();
    expect((await scripted.ended(job)).status).toBe('done');
    await expect(scripted.engine.cancel(job)).rejects.toThrow('has ended');
  });
});

describe('cancel', () => {
  it('stops a running job, which undoes itself, and ends a queued one at once', async () => {
    const gate = new Gate();
    const scripted = await suite.start({
      gated: {
        plan: () =>
          serial('job', 'all', [
            step('one'),
            step('gated', { run: async ({ signal }) => (await gate.pass(signal), 'x') }),
          ]),
      },
    });
    const running = await scripted.submit('gated', { locks: ['a'] });
    const queued = await scripted.submit('gated', { locks: ['a'] });
    await gate.reached;
    await scripted.engine.cancel(queued);
    expect(await scripted.engine.get(queued)).toMatchObject({
      status: 'failed',
      phase: 'ended',
      cancelRequested: true,
      startedAt: null,
      waitingFor: [],
      error: { kind: 'job_cancelled' },
    });
    await Promise.all([scripted.engine.cancel(running), scripted.engine.cancel(running)]);
    const view = await scripted.ended(running);
    expect(view).toMatchObject({ status: 'failed', error: { kind: 'job_cancelled' }, cancelRequested: true });
    expect(statesOf(view)).toEqual({ one: 'undone', gated: 'undone' });
    expect(scripted.log.slice(-2)).toEqual(['undo gated', 'undo one']);
    await expect(scripted.engine.cancel(jobId(999_999))).rejects.toMatchObject({ kind: 'job_not_found' });
  });

  it('that comes while the last step ends is obeyed all the same', async () => {
    let cancelled: Promise<void> | undefined;
    const scripted = await suite.start({
      late: {
        plan: () =>
          step('last', {
            run: ({ jobId: job }) => {
              cancelled = scripted.engine.cancel(job);
              return Promise.resolve('x');
            },
          }),
      },
    });
    const view = await scripted.run('late');
    await cancelled;
    expect(view).toMatchObject({ status: 'failed', error: { kind: 'job_cancelled' } });
    expect(scripted.log).toEqual(['run last', 'undo last']);
  });

  it('is refused while the job undoes itself', async () => {
    const gate = new Gate();
    const scripted = await suite.start({
      undoing: {
        plan: () =>
          serial('job', 'all', [step('one', { undo: async ({ signal }) => gate.pass(signal) }), failing()]),
      },
    });
    const job = await scripted.submit('undoing');
    await gate.reached;
    await expect(scripted.engine.cancel(job)).rejects.toThrow('is being undone already');
    gate.open();
    expect((await scripted.ended(job)).error?.kind).toBe('storage_install_failed');
  });
});
