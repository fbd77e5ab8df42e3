import type { NodeStatus } from '../../core/model.ts';
import { finding, type Finding } from './findings.ts';

/** A server, of either kind, as the catalog has it and as it answered. */
interface ServerSeen {
  readonly status: NodeStatus;
  readonly answers: boolean;
  /** Why it does not. */
  readonly failure: string | null;
}

/** What its status alone tells; null: it is to serve, and answers, so there is more to be compared. */
export function compareStatus(
  where: string,
  { status, answers, failure }: ServerSeen,
): readonly Finding[] | null {
  switch (status) {
    case 'creating':
    case 'deleted':
      return [finding('node_unfinished', where, `the catalog says ${status}, and no job works on it`)];
    case 'inactive':
      return [finding('node_not_serving', where, 'the catalog says inactive')];
    case 'manual_stop':
      if (!answers) return [];
      return [finding('instance_running', where, 'the catalog says manual_stop, the server answers')];
    case 'active':
      if (answers) return null;
      return [
        finding(
          'node_silent',
          where,
          `the catalog says active, the server does not answer: ${failure ?? ''}`,
        ),
      ];
  }
}
