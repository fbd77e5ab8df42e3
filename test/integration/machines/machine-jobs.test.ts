import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverAccess } from '../../../src/cli/server-access.ts';
import { numberOf, textOf, textOrNull, type SqlRow } from '../../../src/engines/sql.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** The first machine has an agent, the second does not answer. */
const alive = '127.0.6.11';
const silent = '127.0.6.12';

let installation: TestInstallation;
let data: string;

beforeAll(async () => {
  installation = await TestInstallation.prepare(await scratchDirectory(), {
    network: '127.0.6',
    machines: 2,
  });
  await installation.startAgent(alive);
  await installation.startManager();
  data = installation.machine(alive).dataDirectory;
});
afterAll(() => installation.close());

/** Rows of server_nodes for one host, with their statistics, as consoles read them. */
async function machineRows(hostaddr: string): Promise<readonly SqlRow[]> {
  const signal = AbortSignal.timeout(5000);
  const access = await serverAccess(installation.home, { metadata: true }, signal);
  return withMysql({ ...access, database: 'kunlun_metadata_db' }, signal, (session) =>
    session.rows(
      `SELECT machine.*, stats.id AS stats_id, stats.datadir_avail, stats.comp_datadir_avail
         FROM server_nodes AS machine LEFT JOIN server_nodes_stats AS stats ON stats.id = machine.id
        WHERE machine.hostaddr = ? AND machine.machine_type IS NOT NULL ORDER BY machine.machine_type`,
      [hostaddr],
    ),
  );
}

function machineParas(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    hostaddr: alive,
    machine_type: 'storage',
    port_range: '57000-57100',
    rack_id: '1',
    datadir: `${data}/data`,
    logdir: `${data}/log`,
    wal_log_dir: `${data}/redo, ${data}/redo2/`,
    comp_datadir: `${data}/comp`,
    total_mem: '8192',
    total_cpu_cores: '4',
    ...changes,
  };
}

/** What the API answers to a request, and the job's end when it is accepted. */
async function emit(
  jobType: string,
  paras: Readonly<Record<string, unknown>>,
): Promise<{ readonly code: unknown; readonly info: unknown; readonly attachment: unknown }> {
  const reply = await installation.emit({ version: '1.0', job_type: jobType, user_name: 'test', paras });
  if (reply['status'] !== 'accept') {
    return { code: reply['error_code'], info: reply['error_info'], attachment: reply['attachment'] };
  }
  const id = reply['job_id'];
  await installation.ended(Number(id));
  const end = await installation.emit({ job_type: 'get_status', job_id: id });
  return { code: end['error_code'], info: end['error_info'], attachment: end['attachment'] };
}

/** How a machine job that ended well is told: pages of consoles read the attachment, so it is an object. */
const done = (info: string) => ({ code: '0', info, attachment: expect.any(Object) as unknown });

describe('create_machine', () => {
  test.each([
    ['hostaddr', '70052'],
    ['machine_type', '70050'],
    ['rack_id', '70053'],
    ['datadir', '70054'],
    ['logdir', '70055'],
    ['wal_log_dir', '70056'],
    ['total_mem', '70057'],
    ['total_cpu_cores', '70058'],
  ])('without %s it is refused with %s and nothing is registered', async (field, code) => {
    const { [field]: _, ...paras } = machineParas();
    expect(await emit('create_machine', paras)).toMatchObject({
      code,
      info: expect.stringContaining(`paras.${field}`),
    });
    expect(await machineRows(alive)).toEqual([]);
  });

  test.each([
    ['machine_type', 'toaster', '70051'],
    ['datadir', 'relative/path', '70054'],
    ['logdir', '/data/../etc', '70055'],
    ['total_mem', 'plenty', '70057'],
    ['port_range', '57000', '70005'],
    ['port_range', '900-57000', '70005'],
    ['port_range', '57100-57000', '70005'],
  ])('with %s %s it is refused with %s', async (field, value, code) => {
    expect(await emit('create_machine', machineParas({ [field]: value }))).toMatchObject({ code });
    expect(await machineRows(alive)).toEqual([]);
  });

  test('a computer machine needs comp_datadir', async () => {
    const { comp_datadir: _, ...paras } = machineParas({ machine_type: 'computer' });
    expect(await emit('create_machine', paras)).toMatchObject({ code: '70061' });
  });

  test('an agent that does not answer is 70158 with its address, and leaves no row', async () => {
    expect(await emit('create_machine', machineParas({ hostaddr: silent }))).toMatchObject({
      code: '70158',
      info: expect.stringContaining(silent),
    });
    expect(await machineRows(silent)).toEqual([]);
  });

  test('registers the machine, makes its directories and records their space', async () => {
    expect(await emit('create_machine', machineParas())).toEqual(done('create machine successfully'));
    const [row, ...others] = await machineRows(alive);
    if (row === undefined) throw new Error('no row');
    expect(others).toEqual([]);
    expect(textOf(row, 'port_range')).toBe('57000-57100');
    expect(textOf(row, 'wal_log_dir')).toBe(`${data}/redo,${data}/redo2`);
    expect(textOf(row, 'node_stats')).toBe('running');
    expect(numberOf(row, 'total_mem')).toBe(8192);
    expect(numberOf(row, 'datadir_avail')).toBeGreaterThan(0);
    for (const name of ['data', 'log', 'redo', 'redo2', 'comp'])
      expect(existsSync(join(data, name))).toBe(true);
  });

  test('a second registration is refused with 70062', async () => {
    expect(await emit('create_machine', machineParas())).toMatchObject({ code: '70062' });
    expect(await machineRows(alive)).toHaveLength(1);
  });

  test('the other type must keep clear of its ports', async () => {
    const paras = machineParas({ machine_type: 'computer', port_range: '57050-57200' });
    expect(await emit('create_machine', paras)).toMatchObject({
      code: '70005',
      info: expect.stringContaining('57000-57100'),
    });
  });

  test('the other type with default ports; memory and cores as the agent reports them', async () => {
    const { port_range: _, ...paras } = machineParas({
      machine_type: 'computer',
      total_mem: '',
      total_cpu_cores: 0,
    });
    expect(await emit('create_machine', paras)).toMatchObject({ code: '0' });
    const row = (await machineRows(alive)).find((candidate) => candidate['machine_type'] === 'computer');
    if (row === undefined) throw new Error('no row');
    expect(textOf(row, 'port_range')).toBe('47000-48000');
    expect(numberOf(row, 'total_mem')).toBeGreaterThan(100);
    expect(numberOf(row, 'total_cpu_cores')).toBeGreaterThan(0);
  });

  test('the same registration sent twice at once happens once', async () => {
    await emit('delete_machine', { hostaddr: alive, machine_type: 'storage' });
    const codes = (
      await Promise.all([emit('create_machine', machineParas()), emit('create_machine', machineParas())])
    ).map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(['0', '70062']));
    expect(await machineRows(alive)).toHaveLength(2);
  });
});

describe('update_machine and set_machine', () => {
  test('what is named changes, the rest stays', async () => {
    const paras = { hostaddr: alive, machine_type: 'storage', port_range: '57000-57300', total_mem: '4096' };
    expect(await emit('update_machine', paras)).toEqual(done('update machine successfully'));
    const row = (await machineRows(alive)).find((candidate) => candidate['machine_type'] === 'storage');
    if (row === undefined) throw new Error('no row');
    expect(textOf(row, 'port_range')).toBe('57000-57300');
    expect(numberOf(row, 'total_mem')).toBe(4096);
    expect(numberOf(row, 'total_cpu_cores')).toBe(4);
    expect(textOf(row, 'datadir')).toBe(`${data}/data`);
  });

  test('without machine_type both types change', async () => {
    await emit('update_machine', { hostaddr: alive, rack_id: 'r7' });
    expect((await machineRows(alive)).map((row) => textOf(row, 'rack_id'))).toEqual(['r7', 'r7']);
  });

  test('a range for a host of both types must say for which', async () => {
    expect(await emit('update_machine', { hostaddr: alive, port_range: '1025-1030' })).toMatchObject({
      code: '70050',
    });
  });

  test.each(['update_machine', 'set_machine'])('%s of an unknown machine is 70066', async (jobType) => {
    const paras = { hostaddr: '127.0.6.99', node_stats: 'idle' };
    expect(await emit(jobType, paras)).toMatchObject({ code: '70066' });
  });

  test('a machine is withheld and offered again', async () => {
    for (const state of ['idle', 'dead', 'running']) {
      expect(await emit('set_machine', { hostaddr: alive, node_stats: state })).toEqual(
        done('set machine success'),
      );
      expect((await machineRows(alive)).map((row) => textOf(row, 'node_stats'))).toEqual([state, state]);
    }
  });
});

describe('with a cluster on the machine', () => {
  beforeAll(async () => {
    await installation.done('create_cluster', {
      ha_mode: 'no_rep',
      nick_name: 'orders',
      shards: '1',
      nodes: '1',
      comps: '1',
      dbcfg: '1',
    });
  });

  test('delete_machine is refused with 70064, naming the instance', async () => {
    expect(await emit('delete_machine', { hostaddr: alive, machine_type: 'storage' })).toMatchObject({
      code: '70064',
      info: expect.stringContaining('57001'),
    });
    expect(await machineRows(alive)).toHaveLength(2);
  });

  test('a port range must keep the ports in use', async () => {
    const paras = { hostaddr: alive, machine_type: 'storage', port_range: '58000-58100' };
    expect(await emit('update_machine', paras)).toMatchObject({
      code: '70005',
      info: expect.stringContaining('57001'),
    });
  });

  describe('set_variable', () => {
    const storage = { hostaddr: alive, port: '57001' };
    const compute = { hostaddr: alive, port: '47001' };

    test.each([
      ['an integer', storage, { variable: 'max_connections', value: '222', type: 'integer' }],
      ['an integer without a type', storage, { variable: 'max_connections', value: '223' }],
      ['a number', storage, { variable: 'long_query_time', value: '0.500000', type: 'int' }],
      ['a text', storage, { variable: 'character_set_server', value: 'latin1', type: 'string' }],
      ['a setting of a compute node', compute, { variable: 'work_mem', value: '8MB', type: 'string' }],
    ])('sets %s', async (_what, node, change) => {
      expect(await emit('set_variable', { ...node, ...change })).toMatchObject({
        code: '0',
        attachment: { result: 'true' },
      });
      const { variable, value } = change;
      await expect
        .poll(async () => (await emit('get_variable', { ...node, variable })).attachment)
        .toEqual({ result: 'true', value });
    });

    test.each([
      ['a variable that the manager owns', storage, 'super_read_only', 'ON'],
      ['a variable that replication needs', storage, 'group_replication_group_name', 'x'],
      ['a setting that runs programs', compute, 'archive_command', 'touch /tmp/x'],
      ['an unknown variable', storage, 'no_such_variable', '1'],
      ['an unknown setting', compute, 'no_such_setting', '1'],
      ['a value that the server refuses', storage, 'max_connections', 'many'],
      ['a value that tries to leave its quotes', compute, 'work_mem', "8MB'; select 1"],
    ])('refuses %s with 70109', async (_what, node, variable, value) => {
      expect(await emit('set_variable', { ...node, variable, value })).toMatchObject({
        code: '70109',
        info: expect.stringContaining(variable),
      });
    });

    test('an address without a node is told', async () => {
      const paras = { hostaddr: alive, port: '57099', variable: 'max_connections', value: '1' };
      expect(await emit('set_variable', paras)).toMatchObject({ code: '70512' });
    });
  });

  describe('rename_cluster', () => {
    test('changes the nick name, by id or by name', async () => {
      const [cluster] = await installation.client.clusters();
      if (cluster === undefined) throw new Error('no cluster');
      expect(
        await emit('rename_cluster', { cluster_id: cluster.cluster_id, nick_name: '订单' }),
      ).toMatchObject({
        code: '0',
      });
      expect((await installation.client.clusters())[0]?.nick_name).toBe('订单');
      await emit('rename_cluster', { cluster_name: cluster.cluster_name, nick_name: 'orders' });
      expect((await installation.client.clusters())[0]?.nick_name).toBe('orders');
    });

    test('an unknown cluster is 70503, no nick name is told', async () => {
      expect(await emit('rename_cluster', { cluster_id: '99', nick_name: 'x' })).toMatchObject({
        code: '70503',
      });
      expect(await emit('rename_cluster', { cluster_id: '1' })).toMatchObject({ code: '70501' });
      expect(await emit('rename_cluster', { nick_name: 'x' })).toMatchObject({ code: '70503' });
    });
  });

  test('the accounts of the home administer every server of the cluster', async () => {
    const signal = AbortSignal.timeout(5000);
    const access = await serverAccess(installation.home, { cluster: 'orders', shard: '1' }, signal);
    const [row] = await withMysql(access, signal, (session) => session.rows('SELECT @@port AS port'));
    expect(row === undefined ? 0 : numberOf(row, 'port')).toBe(57_001);
    await expect(
      serverAccess(installation.home, { cluster: 'orders', shard: '9' }, signal),
    ).rejects.toMatchObject({ kind: 'instance_address_unknown' });
    await expect(
      serverAccess(installation.home, { cluster: 'nobody', comp: '1' }, signal),
    ).rejects.toMatchObject({ kind: 'cluster_not_found' });
  });
});

describe('delete_machine', () => {
  test('removes the machine once nothing lives on it', async () => {
    const [cluster] = await installation.client.clusters();
    await installation.done('delete_cluster', { cluster_id: String(cluster?.cluster_id) });
    for (const type of ['storage', 'computer']) {
      expect(await emit('delete_machine', { hostaddr: alive, machine_type: type })).toEqual(
        done('delete machine successfully'),
      );
    }
    expect((await machineRows(alive)).map((row) => textOrNull(row, 'stats_id'))).toEqual([]);
  });

  test('an unknown machine is 70066', async () => {
    expect(await emit('delete_machine', { hostaddr: alive, machine_type: 'storage' })).toMatchObject({
      code: '70066',
    });
  });
});
