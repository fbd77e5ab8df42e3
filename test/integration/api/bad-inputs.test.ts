import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CatalogProbe, type ProbedCluster } from '../../support/catalog-probe.ts';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';
import { shapeCases, shapeExamples } from '../../support/shape-cases.ts';

const network = '127.0.35';
const [first, second] = [`${network}.11`, `${network}.12`];
/** An address of nobody. */
const nowhere = `${network}.99`;

let installation: TestInstallation;
let probe: CatalogProbe;
let cluster: ProbedCluster;

const single = { ha_mode: 'no_rep', shards: '1', nodes: '1', comps: '1', dbcfg: '1' };
const three = { ...single, ha_mode: 'rbr', nodes: '3' };

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network, machines: 2 });
  probe = await CatalogProbe.open(installation.home);
  const job = await installation.done('create_cluster', {
    ...single,
    nick_name: 'taken',
    storage_iplists: [first],
    computer_iplists: [first],
  });
  cluster = await probe.cluster(Number(job.attachment?.['cluster_id']));
});
afterAll(async () => {
  await probe?.close();
  await installation.close();
});

interface Refusal {
  readonly code: string;
  readonly info: string;
}

/** Rows of everything that a request could have made or changed. */
async function inventory(tables: readonly string[]): Promise<string> {
  const rows = await Promise.all(tables.map((table) => probe.rows(`SELECT * FROM ${table}`)));
  return JSON.stringify(rows);
}

const made = [
  'db_clusters',
  'shards',
  'shard_nodes',
  'comp_nodes',
  'server_nodes',
  'node_map_master',
  'kluster_ports',
  'kluster_instances',
  'kluster_credentials',
  'kluster_pending_removals',
];
const withJobs = [...made, 'cluster_general_job_log', 'kluster_jobs'];

async function expectWell(): Promise<void> {
  expect(await installation.emit({ job_type: 'get_meta_mode' })).toMatchObject({
    status: 'done',
    attachment: { mode: 'no_rep' },
  });
}

/** The request is refused before it becomes a job, and nothing has changed. */
async function refused(jobType: string, paras: unknown): Promise<Refusal> {
  const before = await inventory(withJobs);
  const reply = await installation.emit({ version: '1.0', job_type: jobType, user_name: 'test', paras });
  expect(reply).toMatchObject({ attachment: null, status: 'failed', job_id: '' });
  expect(await inventory(withJobs)).toBe(before);
  return { code: String(reply['error_code']), info: String(reply['error_info']) };
}

/** The request becomes a job, which fails and leaves nothing behind. */
async function failed(jobType: string, paras: Record<string, unknown>): Promise<Refusal> {
  const before = await inventory(made);
  const job = await installation.run(jobType, paras);
  expect(job.status).toBe('failed');
  expect(await inventory(made)).toBe(before);
  return { code: String(job.error?.code), info: job.error?.message ?? '' };
}

type Case = readonly [field: string, value: unknown, code: string, rule: RegExp];

describe('create_cluster', () => {
  it.for<Case>([
    ['ha_mode', undefined, '70071', /is missing/],
    ['ha_mode', 'raft', '70071', /"raft": must be one of no_rep, rbr, mgr/],
    ['ha_mode', ['rbr'], '70071', /must be one of/],
    ['shards', undefined, '70072', /is missing/],
    ['shards', 'many', '70072', /"many": must be a whole number from 1 to 256/],
    ['shards', '1.5', '70072', /must be a whole number/],
    ['shards', {}, '70072', /must be a whole number/],
    ['shards', '0', '70073', /"0": must be a whole number from 1/],
    ['shards', '257', '70073', /to 256/],
    ['shards', '-1', '70073', /from 1/],
    ['nodes', undefined, '70074', /is missing/],
    ['nodes', 'x', '70074', /whole number/],
    ['nodes', '0', '70075', /from 1/],
    ['nodes', '2', '70075', /must be at least 3 when ha_mode is rbr/],
    ['comps', undefined, '70076', /is missing/],
    ['comps', true, '70076', /whole number/],
    ['comps', '0', '70077', /from 1/],
    ['max_storage_size', 'big', '70078', /whole number/],
    ['max_connections', '0', '70079', /from 1/],
    ['max_connections', '10001', '70079', /to 10000/],
    ['cpu_cores', '-2', '70080', /from 1/],
    ['cpu_limit_mode', 'hard', '70005', /must be one of quota, share/],
    ['innodb_size', 'x', '70081', /whole number/],
    ['innodb_size', '0', '70082', /from 1/],
    ['dbcfg', '2', '70005', /must be 0 or 1/],
    ['fullsync_level', '3', '70175', /"?3"?: must be from 1 to nodes - 1 \(2\)/],
    ['fullsync_level', '0', '70175', /must be from 1/],
    ['fullsync_level', 'all', '70175', /whole number/],
    ['install_proxysql', '1', '70005', /must be 0: this version does not install ProxySQL/],
    ['storage_iplists', [nowhere], '70181', /storage_iplists\[0\].*must be a registered storage machine/],
    ['storage_iplists', [first, first], '70181', /storage_iplists\[1\].*must not repeat/],
    ['storage_iplists', [[first]], '70181', /must be text/],
    ['storage_iplists', ["1.2.3.4'; DROP TABLE x"], '70181', /must be an IP address or a host name/],
    ['computer_iplists', [nowhere], '70182', /must be a registered computer machine/],
    ['computer_user', 'pg_root', '70005', /must not begin with/],
    ['computer_user', 'a"b', '70005', /letters, digits/],
    ['computer_password', 'ü', '70005', /printable ASCII/],
    ['nick_name', 'x'.repeat(121), '70005', /1 to 120 characters/],
    ['nick_name', 'a\u0000b', '70005', /NUL/],
    ['nick_name', ['a'], '70005', /must be text/],
    ['conf_degrade_time', '4', '70005', /from 5 to 500/],
    ['data_storage_MB', '-1', '70005', /from 0/],
  ])('%s %j is refused with %s', async ([field, value, code, rule]) => {
    const refusal = await refused('create_cluster', { ...three, [field]: value });
    expect(refusal.code).toBe(code);
    expect(refusal.info).toContain(`paras.${field}`);
    expect(refusal.info).toMatch(rule);
  });

  it('a password is not shown in the error', async () => {
    const { info } = await refused('create_cluster', { ...three, computer_password: 'geheimnisvolles-Ü' });
    expect(info).toContain('computer_password');
    expect(info).not.toContain('geheim');
  });

  it('every broken rule is named at once', async () => {
    const { code, info } = await refused('create_cluster', { ha_mode: 'x', shards: '0', nodes: 'y' });
    expect(code).toBe('70071');
    for (const field of ['ha_mode', 'shards', 'nodes', 'comps']) expect(info).toContain(`paras.${field}`);
  });

  it('no_rep takes exactly one node', async () => {
    const { code, info } = await refused('create_cluster', { ...three, ha_mode: 'no_rep' });
    expect([code, info]).toEqual(['70075', expect.stringContaining('must be 1 when ha_mode is no_rep')]);
  });

  it.each([
    ['a list', ['x']],
    ['a word', 'rbr'],
    ['a number', 7],
  ])('paras as %s', async (_, paras) => {
    expect((await refused('create_cluster', paras)).info).toMatch(/paras .*must be a JSON object/);
  });

  it('a machine that is not running is refused, and not chosen', async () => {
    await installation.done('set_machine', { hostaddr: second, node_stats: 'idle' });
    try {
      const { code, info } = await refused('create_cluster', { ...single, storage_iplists: [second] });
      expect([code, info]).toEqual(['70181', expect.stringContaining('set_machine made it idle')]);
    } finally {
      await installation.done('set_machine', { hostaddr: second, node_stats: 'running' });
    }
  });

  it('too little memory on the machines: 70091 with what is missing where', async () => {
    const { code, info } = await failed('create_cluster', { ...three, dbcfg: '0', innodb_size: '16000' });
    expect(code).toBe('70091');
    expect(info).toMatch(/3 nodes wanted, room for \d.*127\.0\.35\.11.*memory/);
  });

  it('too little disk: 70091', async () => {
    const { code, info } = await failed('create_cluster', { ...three, data_storage_MB: '16000000' });
    expect([code, info]).toEqual(['70091', expect.stringContaining('disk')]);
  });

  it('a port range that is used up: 70091, 70092', async () => {
    // Four ports for each storage node, sixty on each machine: fifteen nodes, one of them there already.
    const many = await failed('create_cluster', { ...single, shards: '30' });
    expect([many.code, many.info]).toEqual(['70091', expect.stringContaining('port')]);
    const comps = await failed('create_cluster', { ...single, comps: '100' });
    expect(comps.code).toBe('70092');
  });

  it('more connections than a shard can take', async () => {
    const { code, info } = await refused('create_cluster', {
      ...single,
      comps: '20',
      max_connections: '10000',
    });
    expect([code, info]).toEqual(['70079', expect.stringContaining('with 20 compute nodes')]);
  });

  it.each([["O'Brien"], ['`; DROP TABLE db_clusters; --'], ['对账 🙂'], ['"<b>&amp;\\'], ['  blanks  ']])(
    'nick name %j is kept as it is',
    async (nickName) => {
      const { name } = cluster;
      const renamed = await installation.emit({
        job_type: 'rename_cluster',
        paras: { cluster_name: name, nick_name: nickName },
      });
      expect(renamed).toMatchObject({ error_code: '0', status: 'done' });
      expect(
        await installation.emit({ job_type: 'get_cluster_detail', paras: { cluster_name: name } }),
      ).toMatchObject({
        attachment: { nick_name: nickName },
      });
    },
  );
});

describe('machines', () => {
  const machine = (changes: Record<string, unknown>): Record<string, unknown> => ({
    hostaddr: nowhere,
    machine_type: 'storage',
    port_range: '57000-57100',
    rack_id: '1',
    datadir: '/tmp/x',
    logdir: '/tmp/x',
    wal_log_dir: '/tmp/x',
    total_mem: '1',
    total_cpu_cores: '1',
    ...changes,
  });

  it('create_machine twice: 70062', async () => {
    const refusal = await refused('create_machine', machine({ hostaddr: first }));
    expect(refusal).toMatchObject({ code: '70062', info: expect.stringContaining(first) });
  });

  it('create_machine where no agent answers: 70158', async () => {
    const refusal = await failed('create_machine', machine({}));
    expect(refusal).toMatchObject({ code: '70158', info: expect.stringContaining(nowhere) });
  });

  it.for<Case>([
    ['hostaddr', undefined, '70052', /is missing/],
    ['hostaddr', 'a b', '70052', /must be an IP address or a host name/],
    ['hostaddr', '$(reboot)', '70052', /must be an IP address or a host name/],
    ['machine_type', 'toaster', '70051', /must be one of storage, computer/],
    ['rack_id', '', '70053', /rack_id/],
    ['datadir', '../x', '70054', /absolute/],
    ['total_mem', '-1', '70057', /whole number/],
    ['total_cpu_cores', '1e3', '70058', /whole number/],
    ['port_range', '1-100', '70005', /must lie within/],
  ])('create_machine with %s %j is refused with %s', async ([field, value, code, rule]) => {
    const refusal = await refused('create_machine', machine({ [field]: value }));
    expect([refusal.code, refusal.info]).toEqual([code, expect.stringContaining(`paras.${field}`)]);
    expect(refusal.info).toMatch(rule);
  });

  it('delete_machine in use: 70064 naming what lives there', async () => {
    const { code, info } = await failed('delete_machine', { hostaddr: first, machine_type: 'storage' });
    expect(code).toBe('70064');
    expect(info).toContain(`cluster${String(cluster.id)}-shard1-node1`);
  });

  it.for([
    ['delete_machine', { hostaddr: nowhere, machine_type: 'storage' }],
    ['set_machine', { hostaddr: nowhere, node_stats: 'running' }],
    ['update_machine', { hostaddr: nowhere, rack_id: '2' }],
  ] as const)('%s of an unknown machine: 70066', async ([jobType, paras]) => {
    const refusal = await refused(jobType, paras);
    expect(refusal).toMatchObject({ code: '70066', info: expect.stringContaining(nowhere) });
  });

  it('set_machine to an unknown state', async () => {
    const { info } = await refused('set_machine', { hostaddr: first, node_stats: 'asleep' });
    expect(info).toMatch(/paras\.node_stats is "asleep": must be one of running, idle, dead/);
  });

  it('update_machine may not take ports away from nodes', async () => {
    const { info } = await refused('update_machine', {
      hostaddr: first,
      machine_type: 'storage',
      port_range: '58000-58100',
    });
    expect(info).toContain(`cluster${String(cluster.id)}-shard1-node1`);
  });
});

describe('clusters and their nodes', () => {
  it.for([
    ['delete_cluster', {}, '70096', /cluster_id or cluster_name is required/],
    ['delete_cluster', { cluster_id: '999' }, '70098', /"?999"?: must be the id of a cluster/],
    ['delete_cluster', { cluster_id: '-1' }, '70098', /whole number/],
    ['delete_cluster', { cluster_id: '1 OR 1=1' }, '70098', /whole number/],
    ['delete_cluster', { cluster_name: 'nobody' }, '70097', /must be the name of a cluster/],
    ['rename_cluster', { cluster_name: 'nobody', nick_name: 'x' }, '70503', /nobody/],
    ['rename_cluster', { nick_name: 'x' }, '70503', /cluster_name is required/],
    ['get_cluster_detail', { cluster_name: 'nobody' }, '70503', /nobody/],
    ['get_variable', { hostaddr: nowhere, port: '57001', variable: 'port' }, '70108', /127\.0\.35\.99:57001/],
    ['get_variable', { hostaddr: first, port: '0', variable: 'port' }, '70108', /from 1 to 65535/],
    [
      'set_variable',
      { hostaddr: nowhere, port: '57001', variable: 'port', value: '1' },
      '70512',
      /127\.0\.35\.99:57001/,
    ],
    ['set_variable', { hostaddr: first, port: '57001', value: '1' }, '70101', /paras\.variable is missing/],
    [
      'set_variable',
      { hostaddr: first, port: '57001', variable: 'a b', value: '1' },
      '70102',
      /must be a name/,
    ],
  ] as const)('%s %j is refused with %s', async ([jobType, paras, code, rule]) => {
    const refusal = await refused(jobType, paras);
    expect(refusal.code).toBe(code);
    expect(refusal.info).toMatch(rule);
  });

  it.for([
    ['super_read_only', 'OFF', /decides which node takes writes/],
    ['RPL_SEMI_SYNC_SOURCE_ENABLED', 'OFF', /acknowledged writes could be lost/],
    ['sync_binlog', '0', /acknowledged writes could be lost/],
    ['no_such_variable', '1', /no global variable of this name/],
    ['max_connections', 'plenty', /max_connections/],
    ['datadir', '/', /read.?only|cannot be set/i],
  ] as const)('set_variable %s %s of a storage node: 70109', async ([variable, value, rule]) => {
    const [shard] = cluster.shards;
    if (shard === undefined) throw new Error('no shard');
    const { hostaddr, port } = shard.primary;
    const refusal = await refused('set_variable', { hostaddr, port, variable, value });
    expect(refusal.code).toBe('70109');
    expect(refusal.info).toMatch(rule);
    expect(
      await probe.storageRow(shard.primary, 'SELECT @@super_read_only AS closed, @@sync_binlog AS binlog'),
    ).toEqual({
      closed: 0,
      binlog: 1,
    });
  });

  it('get_variable of a variable that the node does not have: 70108', async () => {
    const [comp] = cluster.comps;
    if (comp === undefined) throw new Error('no compute node');
    const { hostaddr, port } = comp;
    const refusal = await refused('get_variable', { hostaddr, port, variable: "x'; SELECT 1; --" });
    expect([refusal.code, refusal.info]).toEqual(['70108', expect.stringContaining('has no variable')]);
  });

  it('rename_cluster to the nick name of another cluster: 70501', async () => {
    const other = await installation.done('create_cluster', { ...single, nick_name: 'other' });
    const paras = { cluster_id: other.attachment?.['cluster_id'] };
    const [row] = await probe.rows('SELECT nick_name FROM db_clusters WHERE id = ?', [cluster.id]);
    const refusal = await refused('rename_cluster', { ...paras, nick_name: row?.['nick_name'] });
    expect(refusal).toMatchObject({ code: '70501', info: expect.stringContaining(cluster.name) });
    await installation.done('delete_cluster', paras);
  });
});

describe('the shape of a cluster', () => {
  it.for(shapeCases({ nowhere, known: first }))(
    '%s with %s %j is refused with %s',
    async ([jobType, field, value, code, rule]) => {
      const paras = { cluster_id: cluster.id, ...shapeExamples[jobType], [field]: value };
      const refusal = await refused(jobType, paras);
      expect(refusal).toMatchObject({ code, info: expect.stringContaining(`paras.${field}`) });
      expect(refusal.info).toMatch(rule);
    },
  );

  it('the only shard and the only compute node of a cluster stay: 70174, 70157', async () => {
    const shard = { cluster_id: cluster.id, shard_id: cluster.shards[0]?.id };
    expect((await refused('delete_shard', shard)).code).toBe('70174');
    const comp = { cluster_id: cluster.id, comp_id: cluster.comps[0]?.id };
    expect((await refused('delete_comp', comp)).code).toBe('70157');
  });

  it('no room on the machines: 70128, 70115', async () => {
    const shards = await failed('add_shards', { cluster_id: cluster.id, shards: '30', nodes: '1' });
    expect([shards.code, shards.info]).toEqual(['70128', expect.stringContaining('nodes wanted, room for')]);
    const comps = await failed('add_comps', { cluster_id: cluster.id, comps: '100' });
    expect([comps.code, comps.info]).toEqual(['70115', expect.stringContaining('nodes wanted, room for')]);
  });
});

describe('requests that are none', () => {
  const send = async (body: string | Uint8Array<ArrayBuffer>): Promise<unknown> => {
    const reply = await fetch(`${installation.url}/HttpService/Emit`, { method: 'POST', body });
    expect(reply.status).toBe(200);
    return reply.json();
  };
  const deep = `{"job_type":"create_cluster","paras":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;

  it.for<readonly [string, string | Uint8Array<ArrayBuffer>, RegExp]>([
    ['nothing', '', /body is empty/],
    ['no JSON', 'job_type=create_cluster', /is not JSON/],
    ['half of it', '{"job_type":"create_cluster","paras":{"sh', /is not JSON/],
    ['a list', '[]', /must be a JSON object/],
    ['null', 'null', /must be a JSON object/],
    ['no job type', '{"paras":{}}', /job_type is missing/],
    ['an unknown job type', '{"job_type":"creat_cluster"}', /did you mean create_cluster/],
    ['a job type from a prototype', '{"job_type":"constructor"}', /no job type/],
    ['a body nested 100,000 levels deep', deep, /nests deeper than/],
    [
      '10 MB',
      `{"job_type":"get_meta_mode","paras":{"x":"${'x'.repeat(10_000_000)}"}}`,
      /larger than 1048576 bytes/,
    ],
    ['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), /not UTF-8/],
  ])('%s is told what is wrong, and the server goes on', async ([, body, rule]) => {
    const before = await inventory(withJobs);
    expect(await send(body)).toMatchObject({
      attachment: null,
      error_code: '70001',
      error_info: expect.stringMatching(rule),
      status: 'failed',
    });
    expect(await inventory(withJobs)).toBe(before);
    await expectWell();
  });

  it.for([['0'], ['99999999'], ['abc'], [''], ["1' OR '1'='1"]])(
    'get_status of %j is what consoles take for "not visible yet"',
    async ([id]) => {
      expect(await installation.emit({ job_type: 'get_status', job_id: id })).toMatchObject({
        attachment: null,
        error_code: '70001',
        status: 'failed',
      });
    },
  );
});
