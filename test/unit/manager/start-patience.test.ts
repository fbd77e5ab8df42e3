import { pino } from 'pino';
import { expect, it, onTestFinished, vi } from 'vitest';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { patiently } from '../../../src/manager/start-patience.ts';

const logger = pino({ level: 'silent' });

it('a start goes on when the metadata server answers again', async () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  let attempts = 0;
  const part = async (): Promise<string> => {
    attempts += 1;
    if (attempts < 4) throw new KlusterError('metadata', 'connect ETIMEDOUT');
    return Promise.resolve('open');
  };
  const outcome = patiently(logger, part);
  await vi.runAllTimersAsync();
  expect(await outcome).toBe('open');
});

it('a start ends at once with an error that does not pass', async () => {
  let attempts = 0;
  const part = async (): Promise<void> => {
    attempts += 1;
    return Promise.reject(new KlusterError('configuration', 'names no server'));
  };
  await expect(patiently(logger, part)).rejects.toThrow('names no server');
  expect(attempts).toBe(1);
});
