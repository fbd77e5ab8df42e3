import { parseArgs } from 'node:util';
import type { BenchOptions } from './options.ts';

/** `npm run bench -- <name>… [--rounds <number>] [--agents <number>] [--ha-mode <mode>] [--quick]`: runs the benchmarks named, or tells which there are. */
const benches: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  http: async (options) => (await import('./http.ts')).benchHttp(options),
  cluster: async (options) => (await import('./cluster.ts')).benchCluster(options),
  clone: async (options) => (await import('./clone.ts')).benchClone(options),
  compute: async (options) => (await import('./compute.ts')).benchCompute(options),
  failover: async (options) => (await import('./failover.ts')).benchFailover(options),
  idle: async (options) => (await import('./idle.ts')).benchIdle(options),
  scale: async (options) => (await import('./scale.ts')).benchScale(options),
};

interface Order {
  readonly names: readonly string[];
  readonly options: BenchOptions;
}

/** Throws a TypeError that says what cannot be understood. */
function orderOf(args: readonly string[]): Order {
  const { values, positionals: names } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      agents: { type: 'string' },
      'ha-mode': { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  });
  const unknown = names.filter((name) => !Object.hasOwn(benches, name));
  if (names.length === 0) throw new TypeError('which benchmark?');
  if (unknown.length > 0) throw new TypeError(`there is no benchmark ${unknown.join(', ')}`);
  const rounds = positive('--rounds', values.rounds);
  const agents = positive('--agents', values.agents);
  return { names, options: { rounds, agents, haMode: haModeOf(values['ha-mode']), quick: values.quick } };
}

function haModeOf(text: string | undefined): BenchOptions['haMode'] {
  if (text === undefined || text === 'rbr' || text === 'mgr') return text;
  throw new TypeError(`--ha-mode ${text} is neither rbr nor mgr`);
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!(Number.isInteger(number) && number > 0)) {
    throw new TypeError(`${option} ${text} is not a positive whole number`);
  }
  return number;
}

function readOrder(): Order | undefined {
  try {
    return orderOf(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(error.message);
    return undefined;
  }
}

const order = readOrder();
if (order === undefined) {
  console.error(
    `usage: npm run bench -- ${Object.keys(benches).join(' | ')} [--rounds <number>] [--agents <number>] [--ha-mode rbr|mgr] [--quick]`,
  );
  process.exitCode = 2;
} else {
  for (const name of order.names) await benches[name]?.(order.options);
}
