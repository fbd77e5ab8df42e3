import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GtidSet } from '../../../src/core/gtid-set.ts';

const uuids = ['11111111-aaaa-bbbb-cccc-000000000001', '22222222-aaaa-bbbb-cccc-000000000002'] as const;

/** A set as the plain list of its members, the model that the algebra is compared with. */
const members = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...uuids, `${uuids[0]}:blue`), fc.integer({ min: 1, max: 30 })),
  { maxLength: 40, selector: ([source, number]) => `${source}:${String(number)}` },
);

function setOf(list: readonly (readonly [string, number])[]): GtidSet {
  return GtidSet.parse(list.map(([source, number]) => `${source}:${String(number)}`).join(','));
}

function names(list: readonly (readonly [string, number])[]): Set<string> {
  return new Set(list.map(([source, number]) => `${source}:${String(number)}`));
}

describe('GTID sets', () => {
  it('prints what MySQL prints, however the set was written', () => {
    const [first, second] = uuids;
    expect(GtidSet.parse(` ${first.toUpperCase()}:3-5:1-2:9,\n${second}:7 `).toString()).toBe(
      `${first}:1-5:9,${second}:7`,
    );
    expect(GtidSet.parse(`${first}:1-3:blue:1:2`).toString()).toBe(`${first}:1-3,${first}:blue:1-2`);
    expect(GtidSet.parse('').isEmpty).toBe(true);
  });

  it.each(['x', uuids[0], `${uuids[0]}:0`, `${uuids[0]}:5-3`, `${uuids[0]}:1-`, `${uuids[0]}:1;2`])(
    'refuses %j',
    (text) => {
      expect(() => GtidSet.parse(text)).toThrow(RangeError);
    },
  );

  it('leaves out what began at one server, whatever its tags', () => {
    const [first, second] = uuids;
    const set = GtidSet.parse(`${first}:1-3:blue:1,${second}:7`);
    expect(set.notOf(first.toUpperCase()).toString()).toBe(`${second}:7`);
    expect(set.notOf(second).toString()).toBe(`${first}:1-3,${first}:blue:1`);
    expect(set.ofSourcesIn(GtidSet.parse(`${first}:9`)).toString()).toBe(`${first}:1-3`);
  });

  it('agrees with plain sets on union, difference, containment and size', () => {
    fc.assert(
      fc.property(members, members, (left, right) => {
        const [a, b] = [setOf(left), setOf(right)];
        const [plainA, plainB] = [names(left), names(right)];
        expect(a.union(b).toString()).toBe(setOf([...left, ...right]).toString());
        expect(a.subtract(b).toString()).toBe(
          setOf(left.filter(([source, number]) => !plainB.has(`${source}:${String(number)}`))).toString(),
        );
        expect(a.contains(b)).toBe([...plainB].every((name) => plainA.has(name)));
        expect(a.size).toBe(plainA.size);
        expect(GtidSet.parse(a.toString()).toString()).toBe(a.toString());
      }),
    );
  });
});
