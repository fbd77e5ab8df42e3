import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts';
import { CatalogProbe } from '../../support/catalog-probe.ts';
import { readClusterPage, type ClusterPage } from '../../support/console-model.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const run = promisify(execFile);
const network = '127.0.36';
const [first, second] = [`${network}.11`, `${network}.12`];

let installation: TestInstallation;
let probe: CatalogProbe;

beforeAll(async () => {
  installation = await TestInstallation.prepare(await scratchDirectory(), { network, machines: 2 });
  await Promise.all(installation.machines.map(({ hostaddr }) => installation.startAgent(hostaddr)));
  await installation.startManager();
  probe = await CatalogProbe.open(installation.home);
});
afterAll(async () => {
  await probe?.close();
  await installation.close();
});

/** The request as the API document prints it: a quoted body with line breaks around it, then the method, then the URL. */
async function curl(body: string, ...options: readonly string[]): Promise<string> {
  const url = `${installation.url}/HttpService/Emit`;
  const { stdout } = await run('curl', ['-s', ...options, '-d', body, '-X', 'POST', url]);
  return stdout;
}

function request(jobType: string, paras: string, jobId = ''): string {
  return `
{
"version":"1.0",
"job_id":"${jobId}",
"job_type":"${jobType}",
"timestamp":"1435749309",
"user_name":"kunlun_test",
"paras":${paras}
}
`;
}

function textAt(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value !== 'string') throw new Error(`${key} is no text: ${JSON.stringify(value)}`);
  return value;
}

function parsed(text: string): JsonObject {
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) throw new Error(`the reply is ${text}`);
  return value;
}

/** A synchronous job type: its seven keys, and the attachment. */
async function answer(jobType: string, paras: string): Promise<JsonObject> {
  const text = await curl(request(jobType, paras));
  expect(text).toMatch(/^\{"attachment":.*\}\n$/);
  const reply = parsed(text);
  expect(Object.keys(reply)).toEqual([
    'attachment',
    'error_code',
    'error_info',
    'job_id',
    'job_type',
    'status',
    'version',
  ]);
  expect(reply).toMatchObject({
    error_code: '0',
    error_info: '',
    job_id: '',
    status: 'done',
    version: '1.0',
  });
  return isJsonObject(reply['attachment']) ? reply['attachment'] : {};
}

/** An asynchronous one: the accept reply byte for byte, then get_status until the end, as a console's page reads it. */
async function job(jobType: string, paras: string, page?: ClusterPage): Promise<JsonObject> {
  const accepted = await curl(request(jobType, paras));
  const [, id] = /"job_id":"(\d+)"/.exec(accepted) ?? [];
  expect(accepted).toBe(
    `{"attachment":null,"error_code":"0","error_info":"","job_id":"${id ?? 'none'}","status":"accept","version":"1.0"}\n`,
  );
  for (let poll = 0; poll < 600; poll += 1) {
    const reply = parsed(await curl(request('get_status', poll % 2 === 0 ? '{\n}' : '[]', id)));
    if (page !== undefined) readClusterPage(page, reply);
    if (reply['status'] !== 'ongoing') return reply;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${jobType} does not end`);
}

const machine = (hostaddr: string, type: string, range: string): string => `{
"hostaddr":"${hostaddr}",
"machine_type":"${type}",
"port_range":"${range}",
"rack_id":"1",
"datadir":"${installation.machine(hostaddr).dataDirectory}",
"logdir":"${installation.machine(hostaddr).dataDirectory}",
"wal_log_dir":"${installation.machine(hostaddr).dataDirectory}",
"comp_datadir":"${installation.machine(hostaddr).dataDirectory}",
"total_mem":"8192",
"total_cpu_cores":"8"
}`;

/** What the document prints for a machine job that ended well. */
const done = (info: string) => ({
  version: '1.0',
  error_code: '0',
  error_info: info,
  status: 'done',
  attachment: expect.any(Object) as unknown,
});

describe('1. machines', () => {
  it('1.1 create_machine', async () => {
    expect(await job('create_machine', machine(first, 'computer', '45000-48000'))).toMatchObject(
      done('create machine successfully'),
    );
    // Two "machines" of one host: group replication listens on every address, so their ports must differ.
    for (const [hostaddr, range] of [
      [first, '57000-57100'],
      [second, '57200-57300'],
    ] as const) {
      const reply = await job('create_machine', machine(hostaddr, 'storage', range));
      expect(reply).toMatchObject(done('create machine successfully'));
    }
  });

  it('1.3 set_machine', async () => {
    const reply = await job('set_machine', `{\n"hostaddr":"${first}",\n"node_stats":"running"\n}`);
    expect(reply).toMatchObject(done('set machine success'));
  });

  it('update_machine, as consoles send it', async () => {
    const reply = await job('update_machine', machine(second, 'storage', '57200-57400'));
    expect(reply).toMatchObject(done('update machine successfully'));
  });

  it('1.2 delete_machine', async () => {
    const spare = machine(second, 'computer', '45000-48000');
    expect(await job('create_machine', spare)).toMatchObject(done('create machine successfully'));
    const reply = await job('delete_machine', `{\n"hostaddr":"${second}",\n"machine_type":"computer"\n}`);
    expect(reply).toMatchObject(done('delete machine successfully'));
  });

  it('their rows are what consoles read', async () => {
    const rows = await probe.rows(
      `SELECT hostaddr, machine_type, rack_id, node_stats, total_mem, total_cpu_cores, port_range, used_port
         FROM server_nodes WHERE hostaddr <> 'pseudo_server_useless' ORDER BY id`,
    );
    const row = { rack_id: '1', node_stats: 'running', total_mem: 8192, total_cpu_cores: 8, used_port: null };
    expect(rows).toEqual([
      { ...row, hostaddr: first, machine_type: 'computer', port_range: '45000-48000' },
      { ...row, hostaddr: first, machine_type: 'storage', port_range: '57000-57100' },
      { ...row, hostaddr: second, machine_type: 'storage', port_range: '57200-57400' },
    ]);
  });
});

describe('6. metadata', () => {
  it('6.1 get_meta_mode and get_meta_summary', async () => {
    expect(await answer('get_meta_mode', '{\n}')).toEqual({ mode: 'no_rep' });
    const summary = {
      hostaddr: expect.any(String),
      port: expect.stringMatching(/^\d+$/),
      master: 'true',
      status: 'online',
    };
    expect(await answer('get_meta_summary', '{\n}')).toEqual({ list_meta: [summary] });
    const [configuration] = await probe.rows('SELECT name, value FROM global_configuration');
    expect(configuration).toMatchObject({ value: 'no_rep' });
  });

  it('6.2 get_backup_storage', async () => {
    expect(await answer('get_backup_storage', '{\n}')).toEqual({ list_backup_storage: [] });
  });

  it('6.3 get_machine_summary', async () => {
    expect(await answer('get_machine_summary', '{\n}')).toEqual({
      list_machine: [
        { hostaddr: first, status: 'online' },
        { hostaddr: second, status: 'online' },
      ],
    });
  });

  it('the manager is the leader that clients look up', async () => {
    const rows = await probe.rows(
      "SELECT hostaddr, port FROM cluster_mgr_nodes WHERE member_state = 'source'",
    );
    expect(rows).toEqual([{ hostaddr: `${network}.1`, port: 35_001 }]);
  });
});

describe('2. clusters', () => {
  let name: string;
  let id: string;
  let primary: { readonly hostaddr: string; readonly port: string };

  it('2.1 create_cluster', async () => {
    const reply = await job(
      'create_cluster',
      `{
"nick_name":"my_nick_name",
"ha_mode":"mgr",
"shards":"1",
"nodes":"3",
"comps":"1",
"max_storage_size":"20",
"max_connections":"6",
"cpu_cores":"8",
"innodb_size":"1024",
"rocksdb_block_cache_size_M":"1024",
"dbcfg":"1",
"fullsync_level":"1",
"install_proxysql":"0",
"storage_iplists":[
"${first}",
"${second}"
],
"computer_iplists":[
"${first}"
]
}`,
      'create',
    );
    expect(reply).toMatchObject({
      version: '1.0',
      error_code: '0',
      error_info: 'create cluster successfully',
      status: 'done',
      attachment: { cluster_name: expect.stringMatching(/^cluster_\d{10}_\d{6}$/), shards: '1', comps: '1' },
    });
    const attachment = isJsonObject(reply['attachment']) ? reply['attachment'] : {};
    id = textAt(attachment, 'cluster_id');
    name = textAt(attachment, 'cluster_name');
    expect(id).toMatch(/^\d+$/);
    expect(readClusterPage('create', reply)).toEqual({
      shardLabel: 'shard',
      computerLabel: 'computer',
      storageHosts: [expect.any(String), expect.any(String), expect.any(String)],
      computerHosts: [expect.stringMatching(new RegExp(`^${first}_4[5-8]\\d{3}$`))],
    });
  });

  it('its rows are what consoles read', async () => {
    const [cluster] = await probe.rows(
      'SELECT name, nick_name, status, ha_mode, memo, ddl_log_tblname FROM db_clusters WHERE id = ?',
      [id],
    );
    expect(cluster).toMatchObject({
      name,
      nick_name: 'my_nick_name',
      status: 'inuse',
      ha_mode: 'mgr',
      ddl_log_tblname: `ddl_ops_log_${name}`,
    });
    const memo: unknown = JSON.parse(String(cluster?.['memo']));
    expect(memo).toMatchObject({
      innodb_size: '1024',
      fullsync_level: '1',
      install_proxysql: '0',
      nodes: '3',
    });
    const shards = await probe.rows(
      'SELECT name, num_nodes, sync_num, status FROM shards WHERE db_cluster_id = ?',
      [id],
    );
    expect(shards).toEqual([{ name: 'shard_1', num_nodes: 3, sync_num: 1, status: 'inuse' }]);
    const nodes = await probe.rows(
      'SELECT status, member_state, cpu_cores, max_storage_GB, innodb_buffer_pool_MB FROM shard_nodes WHERE db_cluster_id = ? ORDER BY member_state',
      [id],
    );
    const node = { status: 'active', cpu_cores: 8, max_storage_GB: 20, innodb_buffer_pool_MB: 1024 };
    expect(nodes).toEqual(
      ['source', 'replica', 'replica'].map((state) => ({ ...node, member_state: state })),
    );
    const comps = await probe.rows(
      'SELECT status, user_name, cpu_cores, max_conns FROM comp_nodes WHERE db_cluster_id = ?',
      [id],
    );
    expect(comps).toEqual([{ status: 'active', user_name: 'abc', cpu_cores: 8, max_conns: 6 }]);
    const used = await probe.rows(
      "SELECT used_port, installing_port FROM server_nodes WHERE machine_type = 'computer'",
    );
    expect(used).toEqual([{ used_port: expect.stringMatching(/^4[5-8]\d{3}/), installing_port: null }]);
    const tables = await probe.rows(
      'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE ? ORDER BY 1',
      [`%\\_log\\_${name}`],
    );
    expect(tables).toEqual([{ name: `commit_log_${name}` }, { name: `ddl_ops_log_${name}` }]);
  });

  it('its job row holds the request for the operation log', async () => {
    const rows = await probe.rows(
      "SELECT status, user_name, job_info, memo FROM cluster_general_job_log WHERE job_type = 'create_cluster'",
    );
    expect(rows).toMatchObject([{ status: 'done', user_name: 'kunlun_test' }]);
    expect(JSON.parse(String(rows[0]?.['job_info']))).toMatchObject({
      job_type: 'create_cluster',
      paras: { nick_name: 'my_nick_name', ha_mode: 'mgr' },
    });
    expect(JSON.parse(String(rows[0]?.['memo']))).toMatchObject({ cluster_id: id });
  });

  it('6.4 get_cluster_summary', async () => {
    const parts = { nick_name: 'my_nick_name', shards: '1', comps: '1' };
    expect(await answer('get_cluster_summary', '{\n}')).toMatchObject({
      list_cluster: [{ name, cluster_name: name, cluster_id: id, ...parts }],
    });
  });

  it('6.5 get_cluster_detail, also with the empty paras of a login page', async () => {
    const detail = await answer('get_cluster_detail', `{\n"cluster_name":"${name}"\n}`);
    const node = (master: string) => ({
      hostaddr: expect.any(String),
      master,
      port: expect.any(String),
      status: 'online',
    });
    expect(detail).toMatchObject({
      cluster_name: name,
      comps: '1',
      list_comp: [
        { comp_name: expect.any(String), hostaddr: first, port: expect.any(String), status: 'online' },
      ],
      list_shard: [{ nodes: '3', shard_name: 'shard_1' }],
      nick_name: 'my_nick_name',
      shards: '1',
    });
    const [shard] = detail['list_shard'] as {
      list_node: { hostaddr: string; port: string; master: string }[];
    }[];
    const nodes = (shard?.list_node ?? []).toSorted((left, right) => right.master.localeCompare(left.master));
    expect(nodes).toMatchObject([node('true'), node('false'), node('false')]);
    primary = nodes[0] ?? { hostaddr: '', port: '' };
    const login = parsed(await curl(request('get_cluster_detail', '[]', '0')));
    expect(login).toMatchObject({ attachment: null, error_code: '0', status: 'done' });
  });

  it('6.6 get_variable, and set_variable', async () => {
    const { hostaddr, port } = primary;
    const address = `"hostaddr":"${hostaddr}",\n"port":"${port}"`;
    const pool = await answer('get_variable', `{\n${address},\n"variable":"innodb_buffer_pool_size"\n}`);
    expect(pool).toEqual({ result: 'true', value: String(1024 * 1024 * 1024) });
    const set = `{\n${address},\n"variable":"long_query_time",\n"type":"int",\n"value":"7"\n}`;
    expect(await answer('set_variable', set)).toEqual({ result: 'true' });
    expect(await answer('get_variable', `{\n${address},\n"variable":"long_query_time"\n}`)).toEqual({
      result: 'true',
      value: '7.000000',
    });
  });

  it('rename_cluster', async () => {
    await answer('rename_cluster', `{\n"cluster_name":"${name}",\n"nick_name":"\\u5bf9\\u8d26"\n}`);
    const [row] = await probe.rows('SELECT nick_name FROM db_clusters WHERE id = ?', [id]);
    expect(row).toEqual({ nick_name: '对账' });
  });

  it('HTTP/1.0 clients are answered', async () => {
    const reply = parsed(
      await curl(request('get_meta_mode', '[]'), '--http1.0', '-H', 'Content-Type: application/json'),
    );
    expect(reply).toMatchObject({ attachment: { mode: 'no_rep' }, status: 'done' });
  });

  it('2.9 delete_cluster', async () => {
    const reply = await job('delete_cluster', `{\n"cluster_id":"${id}"\n}`, 'delete');
    const step = { cluster_id: id, error_code: 0, error_info: 'OK', rollback_flag: '1' };
    expect(reply).toMatchObject({
      attachment: {
        cluster_id: id,
        cluster_name: name,
        computer_id: expect.any(String),
        computer_state: 'done',
        computer_step: [{ ...step, computer_hosts: expect.stringMatching(/_\d+;$/), computer_state: 'done' }],
        job_steps: 'shard,computer',
        shard_id: expect.any(String),
        shard_step: [
          {
            ...step,
            shard_ids: expect.stringMatching(/^\d+,$/),
            storage_hosts: expect.stringMatching(/^([\d.]+_\d+;){3}$/),
            storage_state: 'done',
          },
        ],
        storage_state: 'done',
      },
      error_code: '0',
      error_info: 'OK',
      status: 'done',
      version: '1.0',
    });
    expect(await probe.rows('SELECT 1 FROM shard_nodes')).toEqual([]);
    const ports = await probe.rows('SELECT used_port, installing_port FROM server_nodes WHERE id > 1');
    expect(ports.every((row) => row['used_port'] === null && row['installing_port'] === null)).toBe(true);
  });
});

describe('the rest of the document', () => {
  it.each([
    ['add_shards', '{"cluster_id":"1","shards":"2","nodes":"3"}'],
    ['delete_shard', '{"cluster_id":"1","shard_id":"1"}'],
    ['add_comps', '{"cluster_id":"1","comps":"2"}'],
    ['delete_comp', '{"cluster_id":"1","comp_id":"1"}'],
    ['update_instance_cgroup', '{}'],
    ['manual_backup_cluster', '{"cluster_id":"1"}'],
    ['cluster_restore', '{"src_cluster_id":"1","dst_cluster_id":"2"}'],
    ['get_expand_table_list', '{"cluster_id":"3"}'],
    ['expand_cluster', '{"cluster_id":"1"}'],
    ['repartition_tables', '{}'],
    ['logical_backup', '{"cluster_id":"1"}'],
    ['logical_restore', '{"src_cluster_id":"1"}'],
    ['raft_mission', '{"task_type":"transfer_leader","target_leader":"127.0.0.1:25001"}'],
  ])('%s is there, or says in words that it is not yet', async (jobType, paras) => {
    const reply = parsed(await curl(request(jobType, paras)));
    expect(reply).toMatchObject({ attachment: null, status: 'failed', version: '1.0' });
    expect(textAt(reply, 'error_code')).toMatch(/^70\d{3}$/);
    if (reply['error_code'] === '70001') {
      expect(reply['error_info']).toMatch(new RegExp(`^This version cannot .+ \\(${jobType}\\) yet`));
    }
  });
});
