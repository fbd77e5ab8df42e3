import { expect, test } from 'vitest';
import { findVersion, isAtLeast } from '../../../src/engines/version.ts';

test('the version is what follows the label, also when the path of the program contains another one', () => {
  const printed = '/opt/mysql-8.0.30/bin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))';
  expect(findVersion(printed, 'Ver ')).toBe('9.7.4');
  expect(findVersion('postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', '(PostgreSQL) ')).toBe('15.18');
});

test('a version that is not released has no number', () => {
  expect(findVersion('postgres (PostgreSQL) 19devel', '(PostgreSQL) ')).toBeUndefined();
  expect(findVersion('something else 1.2.3', 'Ver ')).toBeUndefined();
});

test.each([
  ['8.4.0', '8.4', true],
  ['8.4', '8.4.0', true],
  ['8.3.9', '8.4', false],
  ['8.10.0', '8.4', true],
  ['9.0.1', '8.4', true],
  ['15.18', '15', true],
  ['14.22', '15', false],
])('%s is at least %s: %s', (version, minimum, answer) => {
  expect(isAtLeast(version, minimum)).toBe(answer);
});
