import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CpuReading, LoadOrder, LoadResult, ServerReady } from './http/protocol.ts';
import type { BenchOptions } from './options.ts';
import { median } from './support/statistics.ts';

/**
 * Requests per second and latency of get_status and of job submission, against a bare Fastify route that answers a
 * constant of the same size. Rounds are interleaved, so that whatever else the machine does hits all of them.
 */
const defaultRounds = 15;
const roundMs = 500;
const quickRoundMs = 50;
const quietWindowMs = 100;
const quietDeadlineMs = 30_000;
const connections = 16;

interface Round extends LoadResult {
  readonly cpuMicrosPerRequest: number;
}

/** The next message of a child; fails when it ends instead. */
async function ask<Reply>(child: ChildProcess, message?: string | LoadOrder): Promise<Reply> {
  const stop = new AbortController();
  const reply = once(child, 'message', { signal: stop.signal });
  const ended = once(child, 'exit', { signal: stop.signal }).then(([code]: unknown[]) => {
    throw new Error(`a process of the benchmark ended with ${String(code)}`);
  });
  try {
    if (message !== undefined) child.send(message);
    const [answer] = (await Promise.race([reply, ended])) as [Reply];
    return answer;
  } finally {
    stop.abort();
    await Promise.allSettled([reply, ended]);
  }
}

/** Resolves when the server uses less than a tenth of a core: the jobs that were submitted have ended. */
async function quiet(server: ChildProcess): Promise<void> {
  const deadline = performance.now() + quietDeadlineMs;
  let before = await ask<CpuReading>(server, 'cpu');
  for (;;) {
    await sleep(quietWindowMs);
    const now = await ask<CpuReading>(server, 'cpu');
    if (now.cpuMicros - before.cpuMicros < quietWindowMs * 100) return;
    if (performance.now() > deadline) throw new Error('the server of the benchmark does not come to rest');
    before = now;
  }
}

const rate = ({ requests, seconds }: LoadResult): number => requests / seconds;

function summary(measured: readonly Round[]) {
  return {
    requestsPerSecond: Math.round(median(measured.map(rate))),
    p50Ms: Number(median(measured.map(({ p50 }) => p50)).toFixed(3)),
    p99Ms: Number(median(measured.map(({ p99 }) => p99)).toFixed(3)),
    serverCpuMicrosPerRequest: Number(
      median(measured.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest)).toFixed(1),
    ),
    errors: measured.reduce((sum, { errors }) => sum + errors, 0),
  };
}

function ordersFor(
  ready: ServerReady,
  milliseconds: number,
): Readonly<Record<'constant' | 'get_status' | 'submit', LoadOrder>> {
  const getStatus = JSON.stringify({
    version: '1.0',
    job_id: String(ready.jobId),
    job_type: 'get_status',
    timestamp: '1435749309',
    paras: {},
  });
  const submit = JSON.stringify({
    version: '1.0',
    job_id: '',
    job_type: 'create_sample',
    timestamp: '1435749309',
    user_name: 'bench',
    paras: { shards: '1' },
  });
  const common = { connections, milliseconds };
  const path = '/HttpService/Emit';
  return {
    constant: {
      ...common,
      port: ready.constantPort,
      path: '/constant',
      body: getStatus,
      expect: '"status":"done"',
    },
    get_status: { ...common, port: ready.managerPort, path, body: getStatus, expect: '"status":"done"' },
    submit: { ...common, port: ready.managerPort, path, body: submit, expect: '"status":"accept"' },
  };
}

export async function benchHttp(options: BenchOptions): Promise<void> {
  const rounds = options.rounds ?? defaultRounds;
  const here = import.meta.dirname;
  const server = fork(join(here, 'http', 'server.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const load = fork(join(here, 'http', 'load.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const orders = ordersFor(await ask<ServerReady>(server), options.quick ? quickRoundMs : roundMs);
    const results = { constant: [], get_status: [], submit: [] } as Record<keyof typeof orders, Round[]>;
    const names = Object.keys(orders) as (keyof typeof orders)[];
    // The first round only warms up.
    for (let round = 0; round <= rounds; round += 1) {
      // Each comes first as often as last, and none while the server still works off the jobs of another one.
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        await quiet(server);
        const before = await ask<CpuReading>(server, 'cpu');
        const result = await ask<LoadResult>(load, orders[name]);
        const after = await ask<CpuReading>(server, 'cpu');
        const cpuMicrosPerRequest = (after.cpuMicros - before.cpuMicros) / result.requests;
        if (round > 0) results[name].push({ ...result, cpuMicrosPerRequest });
      }
    }
    report(results, rounds);
  } finally {
    load.kill();
    server.send('close');
    await once(server, 'exit');
  }
}

function report(
  results: Readonly<Record<'constant' | 'get_status' | 'submit', readonly Round[]>>,
  rounds: number,
): void {
  const figures = {
    constant: summary(results.constant),
    get_status: summary(results.get_status),
    submit: summary(results.submit),
  };
  console.table(figures);
  const pairs = results.get_status.map((round, index) => {
    const other = results.constant[index];
    return other === undefined ? Number.NaN : rate(round) / rate(other);
  });
  const ratio = Number(median(pairs).toFixed(3));
  const cpuRatio = figures.constant.serverCpuMicrosPerRequest / figures.get_status.serverCpuMicrosPerRequest;
  console.log(`get_status / constant: ${String(ratio)} (median of ${String(rounds)} rounds; target 0.6)`);
  console.log(
    JSON.stringify({
      bench: 'http',
      rounds,
      connections,
      ...figures,
      getStatusRatio: ratio,
      getStatusCpuRatio: Number(cpuRatio.toFixed(3)),
      target: 0.6,
    }),
  );
}
