import type { Layout, NodePlace } from './layout.ts';
import type { SimulatedResult } from './mysql-packets.ts';

const gtids = '3f1c2d84-0000-11f0-8000-000000000001:1-1000000';

const one = (row: Readonly<Record<string, string | null>>): SimulatedResult => ({
  columns: Object.keys(row),
  rows: [row],
});

function status(isSource: boolean, name: string): string {
  if (name.includes('Rpl_semi_sync_source_clients')) return isSource ? '2' : '0';
  if (name.includes('Rpl_semi_sync_replica_status')) return isSource ? 'OFF' : 'ON';
  return '0';
}

/**
 * What a node of a healthy rbr shard, on which nobody writes, answers to the manager's look; undefined for any other
 * statement. `parameters`: the bytes that carry them.
 */
export function answerOf(
  layout: Layout,
  place: NodePlace,
  text: string,
  parameters: string,
): SimulatedResult | undefined {
  const { isSource } = place;
  if (text.startsWith('XA RECOVER'))
    return { columns: ['formatID', 'gtrid_length', 'bqual_length', 'data'], rows: [] };
  if (text.includes('global_status')) return one({ value: status(isSource, parameters) });
  if (text.includes('rpl_semi_sync_source_enabled'))
    return one({ enabled: isSource ? '1' : '0', wait_for: '1' });
  if (text.includes('gtid_executed')) return one({ value: gtids });
  if (text.includes('super_read_only')) return one({ value: isSource ? '0' : '1' });
  if (text.includes('RECEIVED_TRANSACTION_SET')) {
    return { columns: ['value'], rows: isSource ? [] : [{ value: gtids }] };
  }
  if (!text.includes('replication_connection_configuration')) return undefined;
  const source = layout.sourceOf(place.node);
  const channel = one({
    hostaddr: source.hostaddr,
    port: String(source.port),
    receiver: 'ON',
    applier: 'ON',
    receiver_error: '',
    heard_ms: '250',
    worker_error: '',
    coordinator_error: '',
  });
  return isSource ? { ...channel, rows: [] } : channel;
}
