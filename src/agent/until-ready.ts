import { setTimeout as sleep } from 'node:timers/promises';
import { linkedSignal } from '../core/abort.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { EngineInstance } from '../engines/engine.ts';
import type { EngineRun } from './engine-run.ts';
import type { InstanceRecord } from './instance-record.ts';

/** A call waits this long for an engine to be ready; the engine may go on with its recovery after that. */
const readyWaitMs = 150_000;

/** @throws KlusterError instance_start_failed when the engine ends, or is not ready in time */
export async function untilReady(
  run: EngineRun,
  { record, engine }: { readonly record: InstanceRecord; readonly engine: EngineInstance },
  signal: AbortSignal,
): Promise<void> {
  const enough = linkedSignal(signal);
  const late = sleep(readyWaitMs, undefined, { signal: enough.signal }).then(
    () => {
      throw new KlusterError(
        'instance_start_failed',
        `${record.instanceId} is still starting after ${String(readyWaitMs)} ms; see ${engine.logFile}`,
      );
    },
    () => {
      signal.throwIfAborted();
    },
  );
  try {
    await Promise.race([run.ready, late]);
  } finally {
    enough.release();
    enough.abort(new Error('no longer wanted'));
    await late.catch(() => undefined);
  }
}
