import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placePlan, stepsOf, type PlacedNode } from '../../../src/jobs/placed-plan.ts';
import { SiblingFailed, walkBackward, walkForward } from '../../../src/jobs/plan-walk.ts';
import { parallel, pointOfNoReturn, serial, type PlanNode, type Step } from '../../../src/jobs/plan.ts';

type Nothing = Record<string, never>;

/** A plan without its keys and functions: what fast-check makes up and shrinks. */
type Shape = 'step' | { readonly kind: 'serial' | 'parallel'; readonly members: readonly Shape[] };

const shapes = fc.letrec<{ node: Shape; group: Shape }>((tie) => ({
  node: fc.oneof({ maxDepth: 3, depthSize: 'small' }, fc.constant<Shape>('step'), tie('group')),
  group: fc.record({
    kind: fc.constantFrom('serial' as const, 'parallel' as const),
    members: fc.array(tie('node'), { maxLength: 4 }),
  }),
})).node;

function step(key: string): Step<Nothing> {
  return { kind: 'step', key, title: key, deadlineMs: 1000, run: () => Promise.resolve(null) };
}

function plan(shape: Shape, key = 'root'): PlanNode<Nothing> {
  if (shape === 'step') return step(key);
  const members = shape.members.map((member, index) => plan(member, `m${String(index)}`));
  return shape.kind === 'serial' ? serial(key, key, members) : parallel(key, key, members);
}

/** Pairs of steps of which the first has to be over before the second starts. */
function orderedPairs(node: PlacedNode<Nothing>): readonly (readonly [string, string])[] {
  if (node.kind === 'step' || node.kind === 'point_of_no_return') return [];
  const within = node.members.flatMap(orderedPairs);
  if (node.kind === 'parallel') return within;
  const paths = node.members.map((member) => stepsOf(member).map(({ path }) => path));
  const between = paths.flatMap((earlier, index) =>
    paths
      .slice(index + 1)
      .flatMap((later) => earlier.flatMap((one) => later.map((two) => [one, two] as const))),
  );
  return [...within, ...between];
}

async function tick(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
}

/** Walks a plan whose steps take some turns each, one of which may fail; tells what happened in order. */
async function walk(placed: PlacedNode<Nothing>, turns: readonly number[], failing: string | undefined) {
  const log: { readonly path: string; readonly what: 'start' | 'end' | 'abort' | 'fail' }[] = [];
  let running = 0;
  const controller = new AbortController();
  const outcome = await walkForward(
    placed,
    {
      failureStopsSiblings: () => true,
      passPointOfNoReturn: () => Promise.resolve(),
      runStep: async ({ path }, signal) => {
        log.push({ path, what: 'start' });
        running += 1;
        try {
          for (let turn = 0; turn < (turns[path.length % turns.length] ?? 1); turn += 1) {
            await tick(3);
            if (signal.aborted) {
              log.push({ path, what: 'abort' });
              throw signal.reason;
            }
          }
        } finally {
          running -= 1;
        }
        if (path === failing) {
          log.push({ path, what: 'fail' });
          throw new Error(`failure of ${path}`);
        }
        log.push({ path, what: 'end' });
      },
    },
    controller.signal,
  ).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { log, outcome, runningAtEnd: running };
}

describe('walkForward', () => {
  const turnsArbitrary = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 7 });

  it('runs every step once, and none before those that the plan puts before it', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, turnsArbitrary, async (shape, turns) => {
        const placed = placePlan(plan(shape));
        const { log, outcome } = await walk(placed, turns, undefined);
        expect(outcome).toBeUndefined();
        const ended = log.filter(({ what }) => what === 'end').map(({ path }) => path);
        expect(ended.toSorted()).toEqual(
          stepsOf(placed)
            .map(({ path }) => path)
            .toSorted(),
        );
        for (const [earlier, later] of orderedPairs(placed)) {
          const end = log.findIndex(({ path, what }) => path === earlier && what === 'end');
          const start = log.findIndex(({ path, what }) => path === later && what === 'start');
          expect(end).toBeLessThan(start);
        }
      }),
    );
  });

  it('rejects with the first failure, leaves nothing running, and starts nothing that comes after it', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, turnsArbitrary, fc.nat(), async (shape, turns, choice) => {
        const placed = placePlan(plan(shape));
        const paths = stepsOf(placed).map(({ path }) => path);
        fc.pre(paths.length > 0);
        const failing = paths[choice % paths.length];
        const { log, outcome, runningAtEnd } = await walk(placed, turns, failing);
        expect(outcome).toEqual(new Error(`failure of ${String(failing)}`));
        expect(runningAtEnd).toBe(0);
        const started = new Set(log.filter(({ what }) => what === 'start').map(({ path }) => path));
        for (const [earlier, later] of orderedPairs(placed)) {
          if (earlier === failing) expect(started).not.toContain(later);
        }
      }),
    );
  });

  it('starts the members of a parallel group together and stops them when one fails', async () => {
    const placed = placePlan(
      parallel('all', 'all', [step('slow'), step('bad'), serial('row', 'row', [step('x'), step('y')])]),
    );
    let reason: unknown;
    const started: string[] = [];
    const walking = walkForward(
      placed,
      {
        failureStopsSiblings: () => true,
        passPointOfNoReturn: () => Promise.resolve(),
        runStep: async ({ path }, signal) => {
          started.push(path);
          if (path === 'all/bad') {
            await tick(10);
            throw new Error('bad');
          }
          await new Promise<void>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reason = signal.reason;
              reject(new Error('stopped'));
            });
          });
        },
      },
      new AbortController().signal,
    );
    await expect(walking).rejects.toThrow('bad');
    expect(started).toEqual(['all/slow', 'all/bad', 'all/row/x']);
    expect(reason).toBeInstanceOf(SiblingFailed);
  });

  it('passes the point of no return between its neighbours', async () => {
    const seen: string[] = [];
    const placed = placePlan(serial('job', 'job', [step('one'), pointOfNoReturn, step('two')]));
    await walkForward(
      placed,
      {
        failureStopsSiblings: () => true,
        runStep: ({ path }) => Promise.resolve(void seen.push(path)),
        passPointOfNoReturn: () => Promise.resolve(void seen.push('point')),
      },
      new AbortController().signal,
    );
    expect(seen).toEqual(['job/one', 'point', 'job/two']);
  });
});

describe('walkBackward', () => {
  it('visits every step once, and none before those that ran after it', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const placed = placePlan(plan(shape));
        const visited: string[] = [];
        await walkBackward(placed, async ({ path }) => {
          await tick(path.length % 5);
          visited.push(path);
        });
        expect(visited.toSorted()).toEqual(
          stepsOf(placed)
            .map(({ path }) => path)
            .toSorted(),
        );
        for (const [earlier, later] of orderedPairs(placed)) {
          expect(visited.indexOf(later)).toBeLessThan(visited.indexOf(earlier));
        }
      }),
    );
  });
});

describe('placePlan', () => {
  it.each([
    ['a key with a slash', serial('a/b', '', []), 'must match'],
    ['a key twice among siblings', serial('job', '', [step('one'), step('one')]), 'occurs twice'],
    [
      'a point of no return in parallel',
      parallel('job', '', [serial('in', '', [pointOfNoReturn])]),
      'no meaning',
    ],
    ['a step without time', serial('job', '', [{ ...step('one'), deadlineMs: 0 }]), 'deadline'],
    ['a negative weight', serial('job', '', [{ ...step('one'), weight: -1 }]), 'weight'],
    ['a path too long to store', serial('x'.repeat(300), '', [step('y'.repeat(300))]), 'longer than'],
  ])('refuses %s', (_name, tree, message) => {
    expect(() => placePlan(tree)).toThrow(message);
  });

  it('allows the same key in different groups', () => {
    const placed = placePlan(
      serial('job', '', [serial('a', '', [step('one')]), serial('b', '', [step('one')])]),
    );
    expect(stepsOf(placed).map(({ path }) => path)).toEqual(['job/a/one', 'job/b/one']);
  });
});
