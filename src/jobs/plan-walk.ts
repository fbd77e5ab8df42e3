import { sharedAbort } from '../core/shared-abort.ts';
import type { PlacedNode, PlacedStep } from './placed-plan.ts';

/** What going forward through a plan consists of; the order is the walker's business. */
export interface ForwardActions<Services> {
  /** Ends when the step is finished and stored; rejects when it failed for good or `signal` was aborted. */
  runStep(step: PlacedStep<Services>, signal: AbortSignal): Promise<void>;
  passPointOfNoReturn(): Promise<void>;
  /** Whether the failure of one member of a parallel group stops the other members. */
  failureStopsSiblings(): boolean;
}

/** The reason of the abort signal of steps that are stopped because a step beside them failed. */
export class SiblingFailed extends Error {
  override readonly name = 'SiblingFailed';

  constructor(cause: unknown) {
    super('stopped because a step beside it failed', { cause });
  }
}

/**
 * Runs the steps in the order of the plan: serial members one after the other, parallel members together. Rejects
 * with the error of the step that failed first, and only when no step of the plan runs any more.
 */
export async function walkForward<Services>(
  node: PlacedNode<Services>,
  actions: ForwardActions<Services>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  switch (node.kind) {
    case 'step':
      await actions.runStep(node, signal);
      return;
    case 'serial':
      for (const member of node.members) await walkForward(member, actions, signal);
      return;
    case 'parallel':
      await walkTogether(node.members, actions, signal);
      return;
    case 'point_of_no_return':
      await actions.passPointOfNoReturn();
  }
}

async function walkTogether<Services>(
  members: readonly PlacedNode<Services>[],
  actions: ForwardActions<Services>,
  signal: AbortSignal,
): Promise<void> {
  const group = sharedAbort();
  const abortGroup = () => group.abort(signal.reason);
  signal.addEventListener('abort', abortGroup, { once: true });
  let first: { readonly error: unknown } | undefined;
  const walkMember = async (member: PlacedNode<Services>) => {
    try {
      await walkForward(member, actions, group.signal);
    } catch (error) {
      first ??= { error };
      if (actions.failureStopsSiblings()) group.abort(new SiblingFailed(error));
    }
  };
  try {
    await Promise.all(members.map(walkMember));
  } finally {
    signal.removeEventListener('abort', abortGroup);
  }
  if (first !== undefined) throw first.error;
}

/**
 * Visits the steps in reverse: serial members last to first, members of a parallel group together. Rejects, with the
 * first rejection of `undoStep`, only when no visit is under way any more.
 */
export async function walkBackward<Services>(
  node: PlacedNode<Services>,
  undoStep: (step: PlacedStep<Services>) => Promise<void>,
): Promise<void> {
  switch (node.kind) {
    case 'step':
      await undoStep(node);
      return;
    case 'serial':
      for (const member of node.members.toReversed()) await walkBackward(member, undoStep);
      return;
    case 'parallel': {
      const visits = await Promise.allSettled(node.members.map((member) => walkBackward(member, undoStep)));
      const rejected = visits.find((visit) => visit.status === 'rejected');
      if (rejected !== undefined) throw rejected.reason;
      return;
    }
    case 'point_of_no_return':
  }
}
