import { isDeadlineError, withDeadline } from '../core/abort.ts';
import type { EngineInstance } from '../engines/engine.ts';

/** Longer than an engine takes to finish what its clients wait for, when it can. */
const closingMs = 6_000;

/** Whether the process may be asked to end; otherwise it is to be killed, as one that does not answer in time. */
export async function endsInOrder(engine: EngineInstance): Promise<boolean> {
  const ask = engine.mayEndInOrder?.bind(engine);
  if (ask === undefined) return true;
  try {
    return await withDeadline(closingMs, undefined, ask);
  } catch (error) {
    if (isDeadlineError(error)) return false;
    throw error;
  }
}
