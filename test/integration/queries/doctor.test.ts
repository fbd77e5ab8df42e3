import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import { clusterId } from '../../../src/core/ids.ts';
import type { ClusterJson } from '../../../src/core/rest-types.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../../src/engines/postgres/connection.ts';
import { askDoctor, expectHealthy } from '../../support/healthy.ts';
import { TestInstallation } from '../../support/installation.ts';
import { onMetadata } from '../../support/nothing-left.ts';
import { scratchDirectory } from '../../support/scratch.ts';

let installation: TestInstallation;
let cluster: ClusterJson;

beforeAll(async () => {
  installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.37', machines: 3 });
  await installation.done('create_cluster', {
    ha_mode: 'rbr',
    shards: '1',
    nodes: '3',
    comps: '1',
    dbcfg: '1',
  });
  const [made] = await installation.client.clusters();
  if (made === undefined) throw new Error('no cluster');
  cluster = made;
});
afterAll(() => installation?.close());

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

function node(role: 'source' | 'replica') {
  const found = cluster.shards[0]?.nodes.find((one) => one.role === role);
  if (found === undefined) throw new Error(`no ${role}`);
  return found;
}

async function onNode(role: 'source' | 'replica', statements: readonly string[]): Promise<void> {
  const { hostaddr, port } = node(role);
  const account = await installation.account(clusterScope(clusterId(cluster.cluster_id)), 'management');
  await withMysql({ hostaddr, port, ...account }, signal(), async (session) => {
    for (const statement of statements) await session.query(statement);
  });
}

async function found(): Promise<readonly string[]> {
  return (await askDoctor(installation.client)).findings.map(({ what }) => what);
}

describe('the doctor of a cluster that works', () => {
  it('finds nothing', async () => {
    await expectHealthy(installation.client);
  });

  it('finds the directory of an instance that its agent no longer knows', async () => {
    const [machine] = installation.machines;
    if (machine === undefined) throw new Error('no machine');
    const left = join(machine.dataDirectory, '.cluster3-comp1.00000000-0000-4000-8000-000000000001');
    await mkdir(left);
    const { findings } = await askDoctor(installation.client);
    expect(findings).toMatchObject([{ what: 'directory_left', where: `machine ${machine.hostaddr}` }]);
    expect(findings[0]?.why).toContain(left);
    await rm(left, { recursive: true });
  });

  it('finds an account that somebody dropped', async () => {
    const sql = ['SET SESSION sql_log_bin = OFF', 'SET GLOBAL super_read_only = OFF'];
    await onNode('replica', [
      ...sql,
      "RENAME USER kluster_monitor@'%' TO hidden@'%'",
      'SET GLOBAL super_read_only = ON',
    ]);
    expect(await found()).toEqual(['account_missing']);
    await onNode('replica', [
      ...sql,
      "RENAME USER hidden@'%' TO kluster_monitor@'%'",
      'SET GLOBAL super_read_only = ON',
    ]);
  });

  it('finds a transaction that only a replica has', async () => {
    await onNode('replica', [
      'SET GLOBAL super_read_only = OFF',
      'CREATE DATABASE stray',
      'SET GLOBAL super_read_only = ON',
    ]);
    expect(await found()).toContain('errant_transactions');
    // What the primary has executed as well is none: the same transaction, empty.
    const { hostaddr, port } = node('replica');
    const account = await installation.account(clusterScope(clusterId(cluster.cluster_id)), 'management');
    const [row] = await withMysql({ hostaddr, port, ...account }, signal(), (session) =>
      session.query("SELECT CONCAT(@@server_uuid, ':1') AS gtid"),
    );
    await onNode('source', [
      `SET SESSION gtid_next = '${String(row?.['gtid'])}'`,
      'COMMIT',
      "SET SESSION gtid_next = 'AUTOMATIC'",
    ]);
  });

  it('finds a compute node that knows a shard that does not exist', async () => {
    const [comp] = cluster.comps;
    if (comp === undefined) throw new Error('no compute node');
    const scope = clusterScope(clusterId(cluster.cluster_id));
    const account = await installation.account(scope, 'compute_superuser');
    const address = { hostaddr: comp.hostaddr, port: comp.port, ...account };
    const teach = async (): Promise<void> => {
      await withPostgres(address, signal(), (session) =>
        session.query(
          `SELECT kluster.set_topology(document || jsonb_build_object('generation', generation + 1,
             'shards', document->'shards' || '[{"id":99,"name":"shard_9","nodes":[]}]')) FROM kluster.topology`,
        ),
      );
    };
    // Again when the manager, which looks at compute nodes now and then, has told it better in between.
    const taught = async (): Promise<readonly string[]> => {
      await teach();
      return found();
    };
    await expect.poll(taught, { timeout: 10_000 }).toEqual(['route_unknown']);
    await onMetadata(installation, (session) =>
      session.query('UPDATE kluster_topology SET generation = generation + 100'),
    );
    await expect.poll(found, { timeout: 10_000 }).toEqual([]);
  });

  it('finds ports, rows and tables of clusters that do not exist', async () => {
    const [machine] = installation.machines;
    await onMetadata(installation, async (session) => {
      await session.query('CREATE TABLE commit_log_cluster_1_000009 LIKE commit_log_template_table');
      await session.execute(
        "INSERT INTO kluster_ports (owner, hostaddr, machine_type, first_port, stride) VALUES ('cluster9-comp1', ?, 'computer', 47055, 3)",
        [machine?.hostaddr ?? ''],
      );
      await session.query(
        "INSERT INTO kluster_credentials (scope, purpose, user_name, sealed_password) VALUES ('cluster:9', 'x', 'x', 'x')",
      );
    });
    expect((await found()).toSorted()).toEqual([
      'cluster_rows_left',
      'log_table_left',
      'ports_left',
      'ports_not_public',
    ]);
    await onMetadata(installation, async (session) => {
      await session.query('DROP TABLE commit_log_cluster_1_000009');
      await session.query("DELETE FROM kluster_ports WHERE owner = 'cluster9-comp1'");
      await session.query("DELETE FROM kluster_credentials WHERE scope = 'cluster:9'");
    });
  });

  it('tells which machine it could not see, and finds the engines there that nobody owns any more', async () => {
    const { hostaddr } = node('replica');
    const { stateDirectory } = installation.machine(hostaddr);
    await installation.stopAgent(hostaddr);
    expect(await askDoctor(installation.client)).toMatchObject({
      clean: false,
      findings: [],
      not_seen: [{ where: `machine ${hostaddr}` }],
    });
    const [records, kept] = [join(stateDirectory, 'instances'), join(stateDirectory, 'kept')];
    await rename(records, kept);
    await installation.startAgent(hostaddr);
    await expect
      .poll(async () => [...new Set(await found())].toSorted(), { timeout: 20_000 })
      .toEqual(['directory_left', 'instance_missing', 'process_left']);
    await installation.stopAgent(hostaddr);
    await rm(records, { recursive: true });
    await rename(kept, records);
    await installation.startAgent(hostaddr);
    await expectHealthy(installation.client);
  });

  it('looks at one cluster alone, and knows that another does not exist', async () => {
    const ask = (id: string) =>
      installation.client.submit({ job_type: 'doctor', paras: { cluster_id: id }, user_name: 'test' });
    expect((await ask(String(cluster.cluster_id))).attachment).toMatchObject({ clean: true });
    await expect(ask('99')).rejects.toMatchObject({ kind: 'cluster_not_found' });
  });
});
