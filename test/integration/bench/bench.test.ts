import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/catalog/package-root.ts';

const run = promisify(execFile);
const program = join(packageRoot(), 'dist', 'bench', 'main.js');

/** The last line of a benchmark's output is its figures as JSON. */
async function figures(name: string): Promise<unknown> {
  const args = [program, name, '--quick', '--rounds', '1'];
  const { stdout } = await run(process.execPath, args, { timeout: 230_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

const positive: unknown = expect.toSatisfy((value) => typeof value === 'number' && value > 0);
const few: unknown = expect.toSatisfy((value) => typeof value === 'number' && value < 10);

describe('npm run bench', () => {
  it('cluster: times a cluster by phase, and the engines alone', async () => {
    expect(await figures('cluster')).toMatchObject({
      bench: 'cluster',
      rounds: 1,
      milliseconds: {
        'create no_rep 1×1': { whole: positive, 'storage nodes started': positive },
        'delete no_rep 1×1': { whole: positive, 'nodes removed': positive },
        'engines alone, at once': { initialise: positive, start: positive },
      },
      ratios: { atOnce: positive },
    });
  });

  it('http: compares get_status with a constant, without errors', async () => {
    expect(await figures('http')).toMatchObject({
      bench: 'http',
      constant: { requestsPerSecond: positive, errors: 0 },
      get_status: { requestsPerSecond: positive, errors: 0 },
      submit: { requestsPerSecond: positive, errors: 0 },
      getStatusRatio: positive,
    });
  });

  it('scale: tells what watching costs, how late looks are, and whether the target is met', async () => {
    // Not how many were seen in time: that depends on how busy the machine is.
    const seen = { exits: 3 };
    const window = { agentsListenedTo: 50, unknownStatements: [], managerCpuPercent: positive };
    expect(await figures('scale')).toMatchObject({
      bench: 'scale',
      agents: 50,
      nodes: 500,
      steady: { ...window, managerRssMib: positive, routine: { looks: positive } },
      disturbed: { ...window, urgent: { looks: positive } },
      // All of them, when the simulated servers do not answer what the manager asks.
      unhealthy: few,
      exitTo: { look: seen, diagnosis: seen },
      target: { met: expect.any(Boolean) },
    });
  });

  it('idle: tells memory and processor time of each process', async () => {
    const used = { processes: 1, rssMib: positive, pssMib: positive };
    expect(await figures('idle')).toMatchObject({
      bench: 'idle',
      figures: { manager: used, agent: used, 'metadata server': used },
    });
  });

  it(
    'failover: measures what clients see of a switchover and of a failover, and misses no row',
    { timeout: 240_000 },
    async () => {
      const seen = { rounds: 1, p50: positive, max: positive, lost: 0 };
      const session = { ...seen, hung: 0, broken: 0 };
      expect(await figures('failover')).toMatchObject({
        bench: 'failover',
        figures: {
          'rbr, planned switchover, through a compute node': session,
          'rbr, planned switchover, directly': seen,
          'rbr, kill -9, through a compute node': session,
          'rbr, kill -9, directly': seen,
        },
        lostInTheEnd: 0,
        unfinished: [],
      });
    },
  );

  it(
    'compute: compares a compute node with MySQL, mysql_fdw and PostgreSQL',
    { timeout: 240_000 },
    async () => {
      expect(await figures('compute')).toMatchObject({
        bench: 'compute',
        ratios: {
          singleReads: { mysql: positive, mysql_fdw: positive, postgres: positive },
          bulkInserts: { mysql: positive, mysql_fdw: positive, postgres: positive },
          'pgbench TPC-B-like': { postgres: positive },
        },
        targets: Array.from({ length: 4 }, () => ({ reached: positive })),
      });
    },
  );

  it('refuses what it does not know', async () => {
    await expect(run(process.execPath, [program, 'nonsense'])).rejects.toMatchObject({ code: 2 });
    await expect(run(process.execPath, [program, 'http', '--rounds', '0'])).rejects.toMatchObject({
      code: 2,
    });
  });
});
