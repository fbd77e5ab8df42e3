import type { Layout, NodePlace } from './layout.ts';
import type { SimulatedResult } from './mysql-packets.ts';

const gtids = '3f1c2d84-0000-11f0-8000-000000000001:1-1000000';

const one = (row: Readonly<Record<string, string | null>>): SimulatedResult => ({
  columns: Object.keys(row),
  rows: [row],
});

/** What a node of a healthy rbr shard, on which nobody writes, answers to the manager's look; undefined for any other statement. */
export function answerOf(layout: Layout, place: NodePlace, text: string): SimulatedResult | undefined {
  if (text.startsWith('XA RECOVER'))
    return { columns: ['formatID', 'gtrid_length', 'bqual_length', 'data'], rows: [] };
  if (!text.includes('replication_connection_configuration')) return undefined;
  const { isSource } = place;
  const source = layout.sourceOf(place.node);
  const ofReplica = (value: string): string | null => (isSource ? null : value);
  return one({
    server_uuid: `3f1c2d84-0000-11f0-8000-${String(place.node).padStart(12, '0')}`,
    super_read_only: isSource ? '0' : '1',
    semi_sync: isSource ? '1' : '0',
    wait_for: '1',
    clients: isSource ? '2' : '0',
    waiting: '0',
    acknowledges: isSource ? 'OFF' : 'ON',
    executed: gtids,
    purged: '',
    received: isSource ? '[]' : JSON.stringify([gtids]),
    hostaddr: ofReplica(source.hostaddr),
    port: ofReplica(String(source.port)),
    receiver: ofReplica('ON'),
    applier: ofReplica('ON'),
    receiver_error: ofReplica(''),
    heard_ms: ofReplica('250'),
    worker_error: '',
    coordinator_error: '',
  });
}
