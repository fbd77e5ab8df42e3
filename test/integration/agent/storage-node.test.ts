import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startAgent, type Agent } from '../../../src/agent/agent.ts';
import type { AgentClient } from '../../../src/client/agent.ts';
import type { InstanceView } from '../../../src/core/agent-protocol.ts';
import { instanceId } from '../../../src/core/ids.ts';
import {
  accountFor,
  agentOptions,
  eventually,
  mysqlSpec,
  testClient,
  watchEvents,
} from '../../support/agent-fixture.ts';
import { mysqlRow, mysqlSession } from '../../support/engine-sessions.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const hostaddr = '127.0.2.10';
const source = instanceId('storage-source');
const replica = instanceId('storage-replica');
let directory: string;
let agent: Agent;
let client: AgentClient;
let nodes: readonly InstanceView[];

const base = (port: number) => ({ hostaddr, port, directory });
const at = (port: number) => ({ hostaddr, port });

/** Until the test ends. */
async function makeWritable(port: number): Promise<void> {
  const management = await mysqlSession(at(port), accountFor('management'));
  await management.query('SET GLOBAL super_read_only = OFF');
  await management.query('SET GLOBAL read_only = OFF');
  onTestFinished(async () => {
    await management.query('SET GLOBAL super_read_only = ON');
  });
}

async function residentMib(pid: number | null): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

beforeAll(async () => {
  directory = await scratchDirectory();
  agent = await startAgent(await agentOptions(directory, { hostaddr, port: 0 }));
  client = testClient(agent.address);
  nodes = await Promise.all([
    client.create(source, mysqlSpec(base(22_010))),
    client.create(replica, mysqlSpec(base(22_020))),
  ]);
});

afterAll(async () => {
  const instances = await client.instances();
  await Promise.all(instances.map(({ instanceId: id }) => client.remove(id)));
  await agent.close();
});

describe('a new storage node', () => {
  test('serves, and is as passive and durable as the safety rules ask', async () => {
    expect(nodes.map(({ state, engine }) => ({ state, engine }))).toEqual([
      { state: 'running', engine: 'mysql' },
      { state: 'running', engine: 'mysql' },
    ]);
    const session = await mysqlSession(at(22_010), accountFor('management'));
    const variables = await mysqlRow(
      session,
      `SELECT @@gtid_executed AS gtids, @@super_read_only AS readOnly, @@sync_binlog AS syncBinlog,
              @@innodb_flush_log_at_trx_commit AS flushLog, @@gtid_mode AS gtidMode, @@relay_log_recovery AS recovery,
              @@rpl_semi_sync_source_wait_point AS waitPoint, @@skip_replica_start AS skipStart,
              @@collation_server AS collation, @@report_host AS reportHost, @@performance_schema AS ps,
              @@local_infile AS localFiles, @@secure_file_priv AS filePriv, @@partial_revokes AS revokes`,
    );
    expect(variables).toEqual({
      gtids: '',
      readOnly: 1,
      syncBinlog: 1,
      flushLog: 1,
      gtidMode: 'ON',
      recovery: 0,
      waitPoint: 'AFTER_SYNC',
      skipStart: 1,
      collation: 'utf8mb4_0900_bin',
      reportHost: hostaddr,
      ps: 1,
      localFiles: 0,
      filePriv: 'NULL',
      revokes: 1,
    });
  });

  test('keeps data, binary logs and redo logs in the directories asked for', async () => {
    expect(await readdir(join(directory, 'logs', source, 'binlog'))).toContain('binlog.000001');
    expect(await readdir(join(directory, 'wal', source, 'redo'))).toEqual(['#innodb_redo']);
    expect(await readdir(join(directory, 'data', source, 'data'))).toContain('ibdata1');
    const uuid = async (port: number) =>
      (await mysqlRow(await mysqlSession(at(port), accountFor('monitor')), 'SELECT @@server_uuid AS uuid'))[
        'uuid'
      ];
    expect(await uuid(22_010)).not.toEqual(await uuid(22_020));
  });

  test('locks root, and nobody logs in with a wrong password', async () => {
    const session = await mysqlSession(at(22_010), accountFor('management'));
    const sql = "SELECT account_locked AS locked FROM mysql.user WHERE user = 'root' AND host = 'localhost'";
    expect(await mysqlRow(session, sql)).toEqual({ locked: 'Y' });
    const wrong = { ...accountFor('management'), password: 'not-the-password' };
    await expect(mysqlSession(at(22_010), wrong)).rejects.toThrow(/Access denied/);
  });
});

describe('accounts', () => {
  test('compute reads and writes data, but neither accounts nor system schemas', async () => {
    await makeWritable(22_010);
    const compute = await mysqlSession(at(22_010), accountFor('compute'));
    await compute.query('CREATE DATABASE shop');
    await compute.query('CREATE TABLE shop.orders (id INT PRIMARY KEY)');
    await compute.query('INSERT INTO shop.orders VALUES (1)');
    await compute.query('XA RECOVER');
    await expect(compute.query('SELECT * FROM mysql.user')).rejects.toThrow(/denied/);
    await expect(compute.query('SELECT * FROM performance_schema.threads')).rejects.toThrow(/denied/);
    await expect(compute.query('DELETE FROM mysql.db')).rejects.toThrow(/denied/);
    await expect(compute.query("CREATE USER 'mallory'@'%' IDENTIFIED BY 'x'")).rejects.toThrow(/denied/);
    await expect(compute.query('SET GLOBAL max_connections = 7')).rejects.toThrow(/denied/);
  });

  test('monitor reads states, but no data, and changes nothing', async () => {
    await makeWritable(22_010);
    const monitor = await mysqlSession(at(22_010), accountFor('monitor'));
    await monitor.query('SHOW REPLICA STATUS');
    await monitor.query('SELECT * FROM performance_schema.replication_connection_configuration');
    await expect(monitor.query('SELECT * FROM shop.orders')).rejects.toThrow(/denied/);
    await expect(monitor.query('CREATE DATABASE other')).rejects.toThrow(/denied/);
    await expect(monitor.query('SET GLOBAL super_read_only = OFF')).rejects.toThrow(/denied/);
  });

  test('management makes accounts for others', async () => {
    const management = await mysqlSession(at(22_020), accountFor('management'));
    await management.query('SET SESSION sql_log_bin = 0');
    await management.query('SET GLOBAL super_read_only = OFF');
    await management.query("CREATE USER 'later'@'%' IDENTIFIED BY 'a-password-0'");
    await management.query("GRANT SELECT, INSERT ON *.* TO 'later'@'%'");
    await management.query("GRANT XA_RECOVER_ADMIN ON *.* TO 'later'@'%'");
    await management.query("DROP USER 'later'@'%'");
    await management.query('SET GLOBAL super_read_only = ON');
    expect(await mysqlRow(management, 'SELECT @@gtid_executed AS gtids')).toEqual({ gtids: '' });
  });
});

test('a replicating node of the small profile stays within 250 MiB', async () => {
  const writer = await mysqlSession(at(22_010), accountFor('management'));
  const reader = await mysqlSession(at(22_020), accountFor('management'));
  const { user, password } = accountFor('replication');
  await writer.query('SET GLOBAL rpl_semi_sync_source_enabled = ON');
  await reader.query('SET GLOBAL rpl_semi_sync_replica_enabled = ON');
  await reader.query(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = ?, SOURCE_PASSWORD = ?,
       SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1 FOR CHANNEL 'kunlun_repl'`,
    [hostaddr, 22_010, user, password],
  );
  await reader.query("START REPLICA FOR CHANNEL 'kunlun_repl'");
  await writer.query('SET GLOBAL super_read_only = OFF');
  await writer.query('SET GLOBAL read_only = OFF');
  onTestFinished(async () => {
    await writer.query('SET GLOBAL rpl_semi_sync_source_enabled = OFF');
    await writer.query('SET GLOBAL super_read_only = ON');
    await reader.query("STOP REPLICA FOR CHANNEL 'kunlun_repl'");
  });
  await writer.query('CREATE DATABASE load_test');
  await writer.query('CREATE TABLE load_test.t (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200))');
  const rows = Array.from({ length: 500 }, (_, row) => [`row ${String(row)} ${'x'.repeat(150)}`]);
  for (let batch = 0; batch < 20; batch += 1)
    await writer.query('INSERT INTO load_test.t (text) VALUES ?', [rows]);
  const { gtids } = await mysqlRow(writer, 'SELECT @@gtid_executed AS gtids');
  const wait = 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 20) AS late';
  expect(await mysqlRow(reader, wait, [String(gtids)])).toEqual({ late: 0 });
  const resident = await Promise.all(nodes.map(({ instanceId: id }) => client.instance(id)));
  const figures = await Promise.all(resident.map(({ pid }) => residentMib(pid)));
  console.log(`resident: source ${figures[0]?.toFixed(0)} MiB, replica ${figures[1]?.toFixed(0)} MiB`);
  expect(Math.max(...figures)).toBeLessThan(250);
});

test('an exit is told at once, and the node is started again, read-only', async () => {
  const events = watchEvents(client);
  await eventually('hello', () => events.find(({ type }) => type === 'hello'));
  const before = await client.instance(replica);
  const killedAt = Date.now();
  process.kill(before.pid ?? 0, 'SIGKILL');
  const seenAt = await eventually('the exit', () =>
    events.some((event) => event.type === 'instance' && event.instance.lastExit?.reason === 'signal SIGKILL')
      ? Date.now()
      : undefined,
  );
  console.log(`exit of a child seen by the client after ${String(seenAt - killedAt)} ms`);
  expect(seenAt - killedAt).toBeLessThan(1_000);
  const after = await eventually('running again', async () => {
    const view = await client.instance(replica);
    return view.state === 'running' ? view : undefined;
  });
  expect(after).toMatchObject({ restarts: before.restarts + 1, desired: 'running' });
  expect(after.pid).not.toBe(before.pid);
  const session = await mysqlSession(at(22_020), accountFor('monitor'));
  expect(await mysqlRow(session, 'SELECT @@super_read_only AS readOnly')).toEqual({ readOnly: 1 });
});

test('a change of the part that it has in its shard is told at once', async () => {
  const events = watchEvents(client);
  const standing = await eventually('its standing', async () => (await client.instance(source)).standing);
  expect(standing).toMatchObject({ superReadOnly: true, source: null, acknowledgements: 0, lingering: 0 });
  await makeWritable(22_010);
  await eventually('that it accepts writes', () =>
    events.find((event) => event.type === 'instance' && event.instance.standing?.superReadOnly === false),
  );
});

test('SET PERSIST cannot make a node writable over a restart', async () => {
  const session = await mysqlSession(at(22_020), accountFor('management'));
  await session.query('SET PERSIST super_read_only = OFF');
  await session.query('SET PERSIST max_connections = 77');
  await client.restart(replica, 'after-persist');
  const again = await mysqlSession(at(22_020), accountFor('management'));
  expect(await mysqlRow(again, 'SELECT @@super_read_only AS readOnly, @@max_connections AS most')).toEqual({
    readOnly: 1,
    most: 77,
  });
});

test('restart acts once per operation key; RESTART by SQL brings the node back', async () => {
  const first = await client.restart(replica, 'one-key');
  const repeated = await client.restart(replica, 'one-key');
  expect(repeated.pid).toBe(first.pid);
  const session = await mysqlSession(at(22_020), accountFor('management'));
  await session.query('RESTART');
  const after = await eventually('running under another pid', async () => {
    const view = await client.instance(replica);
    return view.state === 'running' && view.pid !== first.pid ? view : undefined;
  });
  expect(after.lastExit?.reason).toBe('exit code 16');
});

async function cloneSourceIntoReplica(): Promise<void> {
  const recipient = await mysqlSession(at(22_020), accountFor('management'));
  const { user, password } = accountFor('replication');
  const before = await client.instance(replica);
  await recipient.query('SET GLOBAL clone_valid_donor_list = ?', [`${hostaddr}:22010`]);
  await recipient.query('SET GLOBAL super_read_only = OFF');
  await recipient.query('CLONE INSTANCE FROM ?@?:22010 IDENTIFIED BY ?', [user, hostaddr, password]);
  await eventually('running as another process', async () => {
    const view = await client.instance(replica);
    return view.state === 'running' && view.pid !== before.pid ? view : undefined;
  });
}

test('a clone of another node comes back by itself, with the data of the donor, and survives a crash', async () => {
  const donor = await mysqlSession(at(22_010), accountFor('management'));
  const { gtids } = await mysqlRow(donor, 'SELECT @@gtid_executed AS gtids');
  expect(String(gtids)).not.toBe('');
  const state = 'SELECT @@gtid_executed AS gtids, @@super_read_only AS readOnly';
  // The second time the recipient's own log is further than the donor's.
  for (let round = 0; round < 2; round += 1) {
    await cloneSourceIntoReplica();
    const cloned = await mysqlSession(at(22_020), accountFor('management'));
    expect(await mysqlRow(cloned, state)).toEqual({ gtids, readOnly: 1 });
    await client.restart(replica, `after-clone-${String(round)}`);
    await client.stop(replica, 'immediate');
    await client.start(replica);
  }
  const recovered = await mysqlSession(at(22_020), accountFor('management'));
  expect(await mysqlRow(recovered, state)).toEqual({ gtids, readOnly: 1 });
  expect(await mysqlRow(recovered, 'SELECT COUNT(*) AS count FROM load_test.t')).toEqual({ count: 10_000 });
});

test('stopping holds until it is started; what was on disk is there again', async () => {
  const stopped = await client.stop(replica, 'fast');
  expect(stopped).toMatchObject({ state: 'stopped', desired: 'stopped', pid: null });
  expect(stopped.lastExit?.reason).toBe('exit code 0');
  const again = await client.start(replica);
  expect(again).toMatchObject({ state: 'running', restarts: 0 });
  const killed = await client.stop(replica, 'immediate');
  expect(killed.lastExit?.reason).toBe('signal SIGKILL');
  await client.start(replica);
});

test('a node of a group has the plugin, set up but not started', async () => {
  const id = instanceId('storage-group');
  const groupName = '8a94f357-aab4-11df-86ab-c80aa9429562';
  await client.create(id, mysqlSpec(base(22_030), { groupName }));
  onTestFinished(() => client.remove(id));
  const session = await mysqlSession(at(22_030), accountFor('management'));
  const variables = await mysqlRow(
    session,
    `SELECT @@group_replication_group_name AS name, @@group_replication_start_on_boot AS startOnBoot,
            @@group_replication_local_address AS local, @@group_replication_consistency AS consistency`,
  );
  expect(variables).toEqual({
    name: groupName,
    startOnBoot: 0,
    local: `${hostaddr}:22032`,
    consistency: 'BEFORE_ON_PRIMARY_FAILOVER',
  });
  const member = 'SELECT member_state AS state FROM performance_schema.replication_group_members';
  expect(await mysqlRow(session, member)).toEqual({ state: 'OFFLINE' });
});

test('the same specification again joins, another one is a conflict', async () => {
  const before = await client.instance(source);
  const joined = await client.create(source, mysqlSpec(base(22_010)));
  expect(joined.pid).toBe(before.pid);
  const other = mysqlSpec(base(22_010), { serverId: 4 });
  await expect(client.create(source, other)).rejects.toMatchObject({ kind: 'instance_conflict' });
});

describe('a making that fails leaves nothing', () => {
  const id = instanceId('storage-failing');
  const absent = async () => {
    expect(await readdir(join(directory, 'data'))).not.toContain(id);
    expect(await readdir(join(directory, 'state', 'instances'))).not.toContain(`${id}.json`);
    await expect(client.instance(id)).rejects.toMatchObject({ kind: 'instance_not_found' });
  };

  test('a port that something listens on', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(22_040, hostaddr, resolve));
    onTestFinished(() => {
      server.close();
    });
    await expect(client.create(id, mysqlSpec(base(22_040)))).rejects.toMatchObject({
      kind: 'port_busy',
      message: expect.stringContaining('22040'),
    });
    await absent();
  });

  test('a port that another instance has', async () => {
    await expect(client.create(id, mysqlSpec(base(22_010)))).rejects.toMatchObject({ kind: 'port_busy' });
    await absent();
  });

  test('an address of another machine', async () => {
    const spec = mysqlSpec({ ...base(22_040), hostaddr: '192.0.2.1' });
    await expect(client.create(id, spec)).rejects.toMatchObject({ kind: 'instance_start_failed' });
    await absent();
  });
});

test('removing takes the process, every directory and the record; twice is fine', async () => {
  const view = await client.instance(replica);
  await client.remove(replica);
  await client.remove(replica);
  for (const kind of ['data', 'logs', 'wal']) {
    const names = await readdir(join(directory, kind));
    expect(names.filter((name) => name.includes(replica))).toEqual([]);
  }
  expect(await readdir(join(directory, 'state', 'instances'))).not.toContain(`${replica}.json`);
  await expect(readFile(`/proc/${String(view.pid)}/stat`)).rejects.toMatchObject({ code: 'ENOENT' });
});
