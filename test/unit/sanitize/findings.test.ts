import { expect, test } from 'vitest';
import { findingsIn } from '../../../scripts/sanitize/findings.ts';

const report = `
=================================================================
==1==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 320 byte(s) in 1 object(s) allocated from:
    #0 0x1 in malloc
    #1 0x2 in save_ps_display_args (/usr/lib/postgresql/15/bin/postgres+0x1)

Direct leak of 64 byte(s) in 1 object(s) allocated from:
    #0 0x1 in malloc
    #1 0x2 in kluster_connect (/x/lib/kluster.so+0x1)

SUMMARY: AddressSanitizer: 384 byte(s) leaked in 2 allocation(s).
`;

test('a leak of PostgreSQL itself is no finding, one of the extension is', () => {
  expect(findingsIn(report)).toEqual([expect.stringMatching(/^Direct leak of 64 byte/)]);
});

test('every error of an address and every undefined behaviour is one', () => {
  expect(
    findingsIn('==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\n    #0 0x1 in f\n'),
  ).toHaveLength(1);
  expect(
    findingsIn(
      'src/a.c:1:2: runtime error: shift exponent 64 is too large\n    #0 f\nsrc/b.c:3:4: runtime error: signed integer overflow\n',
    ),
  ).toHaveLength(2);
  expect(findingsIn('')).toEqual([]);
});
