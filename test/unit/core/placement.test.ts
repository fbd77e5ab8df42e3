import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { place, type CandidateMachine, type Placement } from '../../../src/core/placement.ts';

const demand = { memoryMb: 1000, diskMb: 100 };

function machine(hostaddr: string, changes: Partial<CandidateMachine> = {}): CandidateMachine {
  return {
    hostaddr,
    rackId: '0',
    state: 'running',
    totalMemoryMb: 64_000,
    reservedMemoryMb: 0,
    cpuCores: 8,
    availableDiskMb: 1_000_000,
    nodes: 0,
    primaries: 0,
    freePortSlots: 100,
    ...changes,
  };
}

function shards(machines: readonly CandidateMachine[], groups: number, nodesPerGroup: number) {
  return place({ storage: { machines, groups, nodesPerGroup, demand } });
}

function hostsOf(placement: Placement<CandidateMachine>): readonly (readonly string[])[] {
  if (!placement.placed) throw new Error(placement.reasons.join('; '));
  return placement.groups.map((group) => group.map((member) => member.hostaddr));
}

/** Slots of a machine, computed independently of the code under test. */
function slotsOf(of: CandidateMachine): number {
  if (of.state !== 'running') return 0;
  let slots = 0;
  while (
    of.reservedMemoryMb + (slots + 1) * demand.memoryMb <= of.totalMemoryMb &&
    (of.availableDiskMb === undefined || (slots + 1) * demand.diskMb <= of.availableDiskMb) &&
    slots + 1 <= of.freePortSlots
  ) {
    slots += 1;
  }
  return slots;
}

/** The most nodes that can have a machine to themselves within their group: bipartite matching by augmentation. */
function mostDistinct(machines: readonly CandidateMachine[], groups: number, nodesPerGroup: number): number {
  const used = machines.map(() => new Set<number>());
  const placed = Array.from({ length: groups }, () => 0);
  const extend = (group: number, seen: Set<number>): boolean => {
    for (const [index, of] of machines.entries()) {
      const takers = used[index];
      if (takers === undefined || takers.has(group) || seen.has(index)) continue;
      seen.add(index);
      if (takers.size < slotsOf(of)) {
        takers.add(group);
        return true;
      }
      for (const other of takers) {
        if (extend(other, seen)) {
          takers.delete(other);
          takers.add(group);
          return true;
        }
      }
    }
    return false;
  };
  for (let group = 0; group < groups; group += 1) {
    while ((placed[group] ?? 0) < nodesPerGroup && extend(group, new Set())) {
      placed[group] = (placed[group] ?? 0) + 1;
    }
  }
  return placed.reduce((total, count) => total + count, 0);
}

const arbitraryMachines = fc
  .array(
    fc.record({
      rackId: fc.constantFrom('a', 'b', 'c'),
      state: fc.constantFrom('running' as const, 'running' as const, 'running' as const, 'idle' as const),
      totalMemoryMb: fc.integer({ min: 500, max: 6000 }),
      reservedMemoryMb: fc.integer({ min: 0, max: 3000 }),
      availableDiskMb: fc.option(fc.integer({ min: 0, max: 700 }), { nil: undefined }),
      nodes: fc.integer({ min: 0, max: 5 }),
      primaries: fc.integer({ min: 0, max: 2 }),
      freePortSlots: fc.integer({ min: 0, max: 6 }),
    }),
    { minLength: 0, maxLength: 7 },
  )
  .map((list) => list.map((values, index) => machine(`10.0.0.${String(index + 1)}`, values)));
const arbitraryShape = fc.record({
  groups: fc.integer({ min: 1, max: 4 }),
  nodes: fc.integer({ min: 1, max: 4 }),
});

describe('placement of shards', () => {
  test('never exceeds a machine, and refuses only when there is truly no room', () => {
    fc.assert(
      fc.property(arbitraryMachines, arbitraryShape, (machines, { groups, nodes }) => {
        const room = machines.reduce((total, of) => total + slotsOf(of), 0);
        const placement = shards(machines, groups, nodes);
        expect(placement.placed).toBe(room >= groups * nodes);
        if (!placement.placed) {
          expect(placement.lacking).toBe('storage');
          for (const { hostaddr } of machines) expect(placement.reasons.join('\n')).toContain(hostaddr);
          return;
        }
        expect(placement.groups.map((group) => group.length)).toEqual(Array(groups).fill(nodes));
        for (const of of machines) {
          const taken = placement.groups.flat().filter((member) => member === of).length;
          expect(taken).toBeLessThanOrEqual(slotsOf(of));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('nodes of one shard share a machine only as often as no arrangement avoids it, and a warning names it', () => {
    fc.assert(
      fc.property(arbitraryMachines, arbitraryShape, (machines, { groups, nodes }) => {
        const placement = shards(machines, groups, nodes);
        if (!placement.placed) return;
        const distinct = placement.groups.reduce((total, group) => total + new Set(group).size, 0);
        const shared = placement.groups.flatMap((group) =>
          group.filter((of, index) => group.indexOf(of) !== index),
        );
        const warned = placement.warnings.filter((text) => text.includes('share machine'));
        for (const of of shared) expect(warned.join('\n')).toContain(of.hostaddr);
        if (shared.length === 0) expect(warned).toEqual([]);
        expect(distinct).toBe(mostDistinct(machines, groups, nodes));
      }),
      { numRuns: 500 },
    );
  });

  test('does not depend on the order of the machines', () => {
    const shuffled = arbitraryMachines.chain((machines) =>
      fc.tuple(
        fc.constant(machines),
        fc.shuffledSubarray(machines, { minLength: machines.length, maxLength: machines.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, arbitraryShape, ([machines, permuted], { groups, nodes }) => {
        expect(shards(permuted, groups, nodes)).toEqual(shards(machines, groups, nodes));
      }),
    );
  });

  test('uses as many racks per shard as it can', () => {
    const machines = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 3, maxLength: 8 })
      .map((racks) => racks.map((rackId, index) => machine(`10.0.0.${String(index + 1)}`, { rackId })));
    fc.assert(
      fc.property(machines, fc.integer({ min: 1, max: 3 }), (list, groups) => {
        const placement = shards(list, groups, 3);
        if (!placement.placed) throw new Error(placement.reasons.join('; '));
        const racks = new Set(list.map((of) => of.rackId)).size;
        for (const group of placement.groups) {
          expect(new Set(group.map((of) => of.rackId)).size).toBe(Math.min(3, racks));
          expect(new Set(group).size).toBe(3);
        }
      }),
    );
  });

  test('equal machines get equal numbers of nodes and of primaries', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 9 }), fc.integer({ min: 1, max: 12 }), (count, groups) => {
        const machines = Array.from({ length: count }, (_, index) => machine(`10.0.0.${String(index + 1)}`));
        const hosts = hostsOf(shards(machines, groups, 3));
        const counts = (list: readonly string[]): readonly number[] =>
          machines.map((of) => list.filter((hostaddr) => hostaddr === of.hostaddr).length);
        const nodes = counts(hosts.flat());
        const primaries = counts(hosts.map((group) => group[0] ?? ''));
        expect(Math.max(...nodes) - Math.min(...nodes)).toBeLessThanOrEqual(1);
        expect(Math.max(...primaries) - Math.min(...primaries)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('a list of one machine takes a whole shard, with a warning', () => {
    const placement = shards([machine('127.0.6.1')], 1, 3);
    expect(hostsOf(placement)).toEqual([['127.0.6.1', '127.0.6.1', '127.0.6.1']]);
    expect(placement).toMatchObject({
      warnings: [expect.stringMatching(/^3 nodes of shard 1 .* machine 127\.0\.6\.1/)],
    });
  });

  test('primaries avoid machines that have primaries already', () => {
    const machines = [machine('a', { primaries: 3 }), machine('b'), machine('c', { primaries: 1 })];
    expect(hostsOf(shards(machines, 1, 3))[0]?.[0]).toBe('b');
  });

  test('busy machines are chosen last', () => {
    const machines = [machine('a', { nodes: 4 }), machine('b'), machine('c', { nodes: 1 }), machine('d')];
    expect(hostsOf(shards(machines, 1, 3))[0]?.toSorted()).toEqual(['b', 'c', 'd']);
  });

  test('a refusal says what is missing on which machine', () => {
    const placement = shards(
      [
        machine('a', { totalMemoryMb: 2500 }),
        machine('b', { availableDiskMb: 50 }),
        machine('c', { freePortSlots: 0 }),
        machine('d', { state: 'dead' }),
      ],
      1,
      3,
    );
    expect(placement).toEqual({
      placed: false,
      lacking: 'storage',
      reasons: [
        '3 nodes wanted, room for 2',
        'a has room for 2: 2500 of 2500 MiB memory free, a node needs 1000',
        'b has room for 0: 50 MiB disk available, a node needs 100',
        'c has room for 0: the port range has ports for 0 more',
        'd is dead, not running',
      ],
    });
  });

  test('256 shards are placed on a thousand machines', () => {
    const machines = Array.from({ length: 1000 }, (_, index) =>
      machine(`m${String(index)}`, { rackId: String(index % 20), totalMemoryMb: 80_000 }),
    );
    expect(hostsOf(shards(machines, 256, 3)).flat()).toHaveLength(256 * 3);
  });
});

describe('placement of compute nodes', () => {
  test('they count the memory and the nodes that storage just took on the same host', () => {
    const both = [machine('a', { totalMemoryMb: 3000 }), machine('b', { totalMemoryMb: 10_000 })];
    const placement = place({
      storage: { machines: both, groups: 1, nodesPerGroup: 2, demand },
      compute: { machines: both, nodes: 1, demand: { memoryMb: 2500, diskMb: 0 } },
    });
    expect(placement.placed && placement.computeNodes.map((of) => of.hostaddr)).toEqual(['b']);
  });

  test('several go to different machines', () => {
    const machines = ['a', 'b', 'c'].map((hostaddr) => machine(hostaddr));
    const placement = place({ compute: { machines, nodes: 3, demand } });
    expect(placement.placed && placement.computeNodes.map((of) => of.hostaddr).toSorted()).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('a refusal says that computer machines lack room', () => {
    const placement = place({
      storage: { machines: [machine('a')], groups: 1, nodesPerGroup: 1, demand },
      compute: { machines: [], nodes: 1, demand },
    });
    expect(placement).toEqual({
      placed: false,
      lacking: 'computer',
      reasons: ['1 nodes wanted, but there is no machine for them'],
    });
  });

  test('a machine whose disk nobody could measure is used, with a warning', () => {
    const placement = shards([machine('a', { availableDiskMb: undefined })], 1, 1);
    expect(placement).toMatchObject({ placed: true, warnings: [expect.stringContaining('a is unknown')] });
  });
});
