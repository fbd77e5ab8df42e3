import { expect, test } from 'vitest';
import { errorText, KlusterError } from '../../../src/core/errors/kluster-error.ts';

test('the text of an error tells its causes, each once', () => {
  const system = new Error('ENOENT: no such file or directory');
  expect(errorText(new Error('no configuration', { cause: system }))).toBe(
    'no configuration (ENOENT: no such file or directory)',
  );
  const quoting = new KlusterError('engine_missing', `no MySQL in /opt: ${system.message}`, {
    cause: system,
  });
  expect(errorText(quoting)).toBe('no MySQL in /opt: ENOENT: no such file or directory');
  expect(errorText(new Error('not started', { cause: quoting }))).toBe(
    'not started (no MySQL in /opt: ENOENT: no such file or directory)',
  );
});
