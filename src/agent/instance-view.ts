import type { InstanceView } from '../core/agent-protocol.ts';
import type { EngineInstance } from '../engines/engine.ts';
import type { InstanceRecord } from './instance-record.ts';

/** What is known of an instance from its record and its engine; the rest of the view is of the moment. */
export function recordedView(
  record: InstanceRecord,
  engine: EngineInstance,
): Omit<InstanceView, 'state' | 'pid' | 'warnings' | 'health' | 'standing' | 'disk'> {
  const { instanceId, spec, desired, restarts, lastExit, engineVersion, remadeBy, cpuLimit } = record;
  return {
    instanceId,
    engine: engine.engine,
    engineVersion,
    hostaddr: spec.hostaddr,
    port: spec.port,
    desired,
    datadir: engine.datadir,
    logFile: engine.logFile,
    restarts,
    lastExit,
    remadeBy: remadeBy ?? null,
    labels: spec.labels,
    cpuLimit,
  };
}
