import { Layout } from './layout.ts';
import type { SimulatorCounts, SimulatorOrder } from './protocol.ts';
import { SimulatedAgents } from './simulated-agents.ts';
import { SimulatedMysql } from './simulated-mysql.ts';

/** One process that is all machines: their agents, and their MySQL servers as far as the manager looks at them. */
interface Machines {
  readonly layout: Layout;
  readonly agents: SimulatedAgents;
  readonly mysql: SimulatedMysql;
}

let machines: Machines | undefined;
let lastExit: { readonly shard: number; readonly at: number } | undefined;

async function listen(order: SimulatorOrder & { readonly kind: 'listen' }): Promise<Machines> {
  const layout = new Layout(order.agents);
  const agents = new SimulatedAgents(layout, order.secret);
  const mysql = new SimulatedMysql(layout, order);
  await mysql.listen();
  await agents.listen();
  return { layout, agents, mysql };
}

async function obey(order: SimulatorOrder): Promise<SimulatorCounts> {
  if (order.kind === 'listen') machines = await listen(order);
  if (machines === undefined) throw new Error('the simulated machines do not listen yet');
  const { layout, agents, mysql } = machines;
  const at = Date.now();
  if (order.kind === 'exit') {
    const place = layout.node(order.node);
    mysql.silent.add(order.node);
    mysql.asked.set(place.shard, null);
    lastExit = { shard: place.shard, at };
    agents.tell(place, 'starting');
  } else if (order.kind === 'return') {
    mysql.silent.delete(order.node);
    agents.tell(layout.node(order.node), 'running');
  }
  const { logins, statements, unknown } = mysql;
  const asked = lastExit === undefined ? null : (mysql.asked.get(lastExit.shard) ?? null);
  const askedAfterMs = asked === null || lastExit === undefined ? null : asked - lastExit.at;
  return { at, streams: agents.streams, logins, statements, askedAfterMs, unknown: [...unknown] };
}

process.on('message', (order: SimulatorOrder) => {
  void obey(order).then((counts) => process.send?.(counts));
});
process.on('disconnect', () => process.exit());
