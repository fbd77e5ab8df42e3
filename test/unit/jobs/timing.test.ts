import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { EngineSqlError } from '../../../src/engines/sql-error.ts';
import { runBounded, sleep } from '../../../src/jobs/deadline.ts';
import { repeat } from '../../../src/jobs/repeat.ts';
import {
  defaultRetry,
  forwardOnlyRetry,
  isPassingFault,
  retryDelayMs,
  undoRetry,
} from '../../../src/jobs/retry.ts';

const never = new AbortController().signal;

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('was waiting for port 57001')));
  });
}

describe('runBounded', () => {
  it('names the step and the deadline, and what the step was doing', async () => {
    const bounded = runBounded({ what: 'step "x"', deadlineMs: 10, signal: never, run: untilAborted });
    await expect(bounded).rejects.toMatchObject({
      kind: 'step_deadline',
      message: 'step "x" did not end within 10 ms: was waiting for port 57001',
    });
  });

  it('gives the reason of the signal when that aborts', async () => {
    const controller = new AbortController();
    const bounded = runBounded({ what: 'x', deadlineMs: 5000, signal: controller.signal, run: untilAborted });
    const reason = new KlusterError('job_cancelled', 'cancelled');
    controller.abort(reason);
    await expect(bounded).rejects.toBe(reason);
  });

  it('leaves a run behind that does not react', async () => {
    const bounded = runBounded({
      what: 'x',
      deadlineMs: 5,
      noticeMs: 10,
      signal: never,
      run: () => new Promise<never>(() => undefined),
    });
    await expect(bounded).rejects.toMatchObject({
      kind: 'step_deadline',
      message: 'x did not end within 5 ms: it did not react to being stopped',
    });
  });

  it('counts a run that succeeds although it was told to stop', async () => {
    const controller = new AbortController();
    const bounded = runBounded({
      what: 'x',
      deadlineMs: 5000,
      signal: controller.signal,
      run: async (signal) => {
        controller.abort(new Error('stop'));
        return Promise.resolve(signal.aborted ? 'told' : 'not told');
      },
    });
    await expect(bounded).resolves.toBe('told');
  });

  it('does not start under a signal that is aborted already', async () => {
    let started = false;
    const signal = AbortSignal.abort(new Error('before'));
    const run = () => {
      started = true;
      return Promise.resolve();
    };
    await expect(runBounded({ what: 'x', deadlineMs: 10, signal, run })).rejects.toThrow('before');
    expect(started).toBe(false);
  });
});

describe('sleep', () => {
  it('ends with the reason of the signal', async () => {
    const controller = new AbortController();
    const sleeping = sleep(10_000, controller.signal);
    controller.abort(new Error('woken'));
    await expect(sleeping).rejects.toThrow('woken');
  });
});

describe('retryDelayMs', () => {
  it('doubles up to the maximum and is at least half of that', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, random) => {
          const policy = { attempts: 9, firstDelayMs: 100, maximumDelayMs: 3000 };
          const delay = retryDelayMs(policy, attempt, () => random);
          const full = Math.min(3000, 100 * 2 ** Math.min(attempt - 1, 30));
          expect(delay).toBeGreaterThanOrEqual(full / 2);
          expect(delay).toBeLessThanOrEqual(full);
        },
      ),
    );
  });

  it('keeps a job past its point of no return at work for minutes, not hours', () => {
    const total = (random: number) =>
      Array.from({ length: forwardOnlyRetry.attempts - 1 }, (_none, index) =>
        retryDelayMs(forwardOnlyRetry, index + 1, () => random),
      ).reduce((sum, delay) => sum + delay, 0);
    expect(total(0)).toBeGreaterThan(5 * 60_000);
    expect(total(1)).toBeLessThan(15 * 60_000);
  });
});

describe('undoRetry', () => {
  const policy = undoRetry(defaultRetry);

  it('waits for an agent that is away for longer than a step does', () => {
    const away = new Error('x', { cause: new KlusterError('agent_unreachable', 'x') });
    expect(policy.isPassing?.(away, defaultRetry.attempts + 5)).toBe(true);
  });

  it('repeats what else may pass as often as the step does, and nothing more', () => {
    const slow = new KlusterError('step_deadline', 'x');
    expect(policy.isPassing?.(slow, defaultRetry.attempts - 1)).toBe(true);
    expect(policy.isPassing?.(slow, defaultRetry.attempts)).toBe(false);
    expect(policy.isPassing?.(new KlusterError('invalid_parameters', 'x'), 1)).toBe(false);
  });
});

describe('isPassingFault', () => {
  const sql = (fault: { errno?: number; sqlState?: string; lost?: boolean }) =>
    new EngineSqlError('x', {
      code: undefined,
      errno: fault.errno,
      sqlState: fault.sqlState,
      lost: fault.lost ?? false,
    });

  it.each([
    ['an agent that does not answer', new KlusterError('agent_unreachable', 'x'), true],
    ['a deadline', new KlusterError('step_deadline', 'x'), true],
    ['a lost connection', sql({ lost: true }), true],
    ['a deadlock of MySQL', sql({ errno: 1213, sqlState: '40001' }), true],
    ['a full PostgreSQL', sql({ sqlState: '53300' }), true],
    [
      'a passing fault inside another error',
      new KlusterError('storage_install_failed', 'x', { cause: sql({ lost: true }) }),
      true,
    ],
    ['a syntax error', sql({ errno: 1064, sqlState: '42000' }), false],
    ['a refusal of an agent', new KlusterError('agent_refused', 'x'), false],
    ['a defect', new TypeError('x is not a function'), false],
    ['something thrown that is no error', 'text', false],
  ])('%s', (_name, error, passing) => {
    expect(isPassingFault(error)).toBe(passing);
  });

  it('ends on causes that go round in a circle', () => {
    const one = new Error('one');
    const two = new Error('two', { cause: one });
    one.cause = two;
    expect(isPassingFault(one)).toBe(false);
  });
});

describe('repeat', () => {
  const quick = { attempts: 4, firstDelayMs: 1, maximumDelayMs: 2, isPassing: () => true };
  const repetition = {
    policy: quick,
    signal: never,
    isFinal: () => false,
    beforeWait: () => Promise.resolve(),
  };

  it('stops at the first success', async () => {
    let attempts = 0;
    const result = await repeat(repetition, () => {
      attempts += 1;
      return attempts < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve(attempts);
    });
    expect(result).toBe(3);
  });

  it('gives the last error when the attempts are used up', async () => {
    let attempts = 0;
    const failing = repeat(repetition, () => Promise.reject(new Error(`attempt ${String((attempts += 1))}`)));
    await expect(failing).rejects.toThrow('attempt 4');
  });

  it('does not repeat what is final, nor what does not pass', async () => {
    let attempts = 0;
    const attempt = () => Promise.reject(new Error(`attempt ${String((attempts += 1))}`));
    await expect(repeat({ ...repetition, isFinal: () => true }, attempt)).rejects.toThrow('attempt 1');
    const choosy = { ...quick, isPassing: () => false };
    await expect(repeat({ ...repetition, policy: choosy }, attempt)).rejects.toThrow('attempt 2');
  });
});
