import type { Group, PlanNode, PointOfNoReturn, Step } from './plan.ts';

/**
 * A plan whose every node knows its path: the keys from the root to the node, the root's own key included, joined
 * by `/`. A step with key `start` in the root group `create` has the path `create/start`.
 */
export type PlacedNode<Services> = PlacedStep<Services> | PlacedGroup<Services> | PlacedPointOfNoReturn;

export interface PlacedStep<Services> {
  readonly kind: 'step';
  readonly path: string;
  readonly step: Step<Services>;
}

export interface PlacedGroup<Services> {
  readonly kind: 'serial' | 'parallel';
  readonly path: string;
  readonly members: readonly PlacedNode<Services>[];
}

export interface PlacedPointOfNoReturn {
  readonly kind: 'point_of_no_return';
}

const keyPattern = /^[a-z0-9_.-]+$/;
/** Width of the column that stores it. */
const maximumPathLength = 512;

function pathOf(parent: string | undefined, key: string): string {
  if (!keyPattern.test(key)) {
    throw new TypeError(
      `plan key ${JSON.stringify(key)} under ${parent ?? 'the root'} must match ${keyPattern.source}`,
    );
  }
  const path = parent === undefined ? key : `${parent}/${key}`;
  if (path.length > maximumPathLength) {
    throw new RangeError(`plan path ${path} is longer than ${String(maximumPathLength)} characters`);
  }
  return path;
}

function checkStep<Services>(path: string, step: Step<Services>): void {
  const weight = step.weight ?? 1;
  if (!Number.isFinite(weight) || weight < 0) throw new RangeError(`weight of ${path} must be 0 or more`);
  if (!(step.deadlineMs > 0)) throw new RangeError(`deadline of ${path} must be more than 0 ms`);
}

function placeMembers<Services>(
  group: Group<Services>,
  path: string,
  inParallel: boolean,
): readonly PlacedNode<Services>[] {
  const seen = new Set<string>();
  return group.steps.map((member) => {
    if (member.kind === 'point_of_no_return') return placePoint(member, path, inParallel);
    if (seen.has(member.key)) throw new TypeError(`plan key ${member.key} occurs twice under ${path}`);
    seen.add(member.key);
    return place(member, path, inParallel);
  });
}

function placePoint(point: PointOfNoReturn, parent: string, inParallel: boolean): PlacedPointOfNoReturn {
  if (inParallel)
    throw new TypeError(`a point of no return under the parallel part of ${parent} has no meaning`);
  return { kind: point.kind };
}

function place<Services>(
  node: Step<Services> | Group<Services>,
  parent: string | undefined,
  inParallel: boolean,
): PlacedNode<Services> {
  const path = pathOf(parent, node.key);
  if (node.kind === 'step') {
    checkStep(path, node);
    return { kind: 'step', path, step: node };
  }
  const members = placeMembers(node, path, inParallel || node.kind === 'parallel');
  return { kind: node.kind, path, members };
}

/** Gives every node its path. Throws on a plan that breaks the rules of `plan.ts`: a defect of its mission. */
export function placePlan<Services>(root: PlanNode<Services>): PlacedNode<Services> {
  return root.kind === 'point_of_no_return' ? { kind: root.kind } : place(root, undefined, false);
}

/** The steps in the order in which a plan without parallel parts would run them. */
export function stepsOf<Services>(node: PlacedNode<Services>): readonly PlacedStep<Services>[] {
  if (node.kind === 'step') return [node];
  return node.kind === 'point_of_no_return' ? [] : node.members.flatMap(stepsOf);
}
