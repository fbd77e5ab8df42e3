import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nestsDeeperThan, parseJsonBody } from '../../../src/http/json-body.ts';
import { nearNames } from '../../../src/core/near-names.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('nesting', () => {
  it('is measured exactly, whatever brackets and quotes the texts contain', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 12 }), fc.integer({ min: 0, max: 12 }), (value, limit) => {
        for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
          // Text no longer than the limit cannot nest deeper than it.
          expect(nestsDeeperThan(text, limit)).toBe(depthOf(value) > limit);
        }
      }),
      { examples: [[['"[[[\\', { '[{': '\\"[' }], 2]] },
    );
  });

  it('is allowed up to 64 levels', () => {
    const nested = (levels: number): Buffer => Buffer.from('['.repeat(levels) + ']'.repeat(levels));
    expect(parseJsonBody(nested(64))).toBeInstanceOf(Array);
    expect(() => parseJsonBody(nested(65))).toThrow(expect.objectContaining({ kind: 'bad_request' }));
  });
});

describe('syntax errors', () => {
  it('tell the place, and nothing of the body, which may hold a password', () => {
    const body = Buffer.from('{"computer_password":"hunter2" oops}');
    expect(() => parseJsonBody(body)).toThrow(/not JSON \(at position 31\)/);
    expect(() => parseJsonBody(body)).not.toThrow(/hunter2|oops/);
  });
});

describe('near names', () => {
  const names = ['create_cluster', 'delete_cluster', 'create_machine', 'get_status'];

  it('finds what was mistyped, nearest first', () => {
    expect(nearNames('create_clutser', names)[0]).toBe('create_cluster');
    expect(nearNames('GET_STATUS', names)).toEqual(['get_status']);
  });

  it('guesses nothing for a word that is near to none', () => {
    expect(nearNames('make_coffee', names)).toEqual([]);
    expect(nearNames('', names)).toEqual([]);
  });
});
