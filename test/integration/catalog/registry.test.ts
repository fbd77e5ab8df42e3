import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Catalog } from '../../../src/catalog/catalog.ts';
import { clusterScope } from '../../../src/catalog/credentials.ts';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { textOf } from '../../../src/catalog/sql.ts';
import { clusterId } from '../../../src/core/ids.ts';
import { newMachine } from '../../support/catalog-fixtures.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

let server: MetadataServer;
let database: MetadataDatabase;
let catalog: Catalog;
beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
  catalog = new Catalog(database, 'k'.repeat(43));
});
afterAll(() => server?.stop());

/** One row as consoles see it. */
async function look(text: string): Promise<Readonly<Record<string, unknown>>> {
  const [row] = await database.read((sql) => sql.rows(text, [], (found) => found));
  return row ?? {};
}

describe('machines', () => {
  const storage = { hostaddr: '10.1.0.1', machineType: 'storage' } as const;

  it('keeps what the operator says, also with several types per host', async () => {
    const ids = await database.write(async (sql) => [
      await catalog.machines.insert(sql, newMachine(storage)),
      await catalog.machines.insert(sql, newMachine({ hostaddr: '10.1.0.1', machineType: 'computer' })),
    ]);
    await database.read(async (sql) => {
      expect(await catalog.machines.find(sql, storage)).toEqual({
        ...newMachine(storage),
        id: ids[0],
        state: 'running',
      });
      expect(
        (await catalog.machines.list(sql, { hostaddr: '10.1.0.1' })).map((machine) => machine.id),
      ).toEqual(ids);
      expect(await catalog.machines.list(sql, { hostaddr: '10.1.0.1', state: 'dead' })).toEqual([]);
    });
    const twice = database.write((sql) => catalog.machines.insert(sql, newMachine(storage)));
    await expect(twice).rejects.toMatchObject({ kind: 'machine_exists' });
  });

  it('changes what is named and keeps the rest', async () => {
    await database.write((sql) =>
      catalog.machines.update(sql, storage, { datadir: ['/new'], totalMemoryMb: 1 }),
    );
    const machine = await database.read((sql) => catalog.machines.find(sql, storage));
    expect(machine).toMatchObject({
      datadir: ['/new'],
      totalMemoryMb: 1,
      logdir: ['/log'],
      totalCpuCores: 8,
    });
    const comma = database.write((sql) => catalog.machines.update(sql, storage, { logdir: ['/a,b'] }));
    await expect(comma).rejects.toMatchObject({ kind: 'invalid_parameters' });
  });

  it('sets the state of one type or of the whole host', async () => {
    const states = () =>
      database.read(async (sql) =>
        (await catalog.machines.list(sql, { hostaddr: '10.1.0.1' })).map((machine) => machine.state),
      );
    await database.write((sql) => catalog.machines.setState(sql, storage, 'idle'));
    expect(await states()).toEqual(['idle', 'running']);
    await database.write((sql) => catalog.machines.setState(sql, { hostaddr: '10.1.0.1' }, 'dead'));
    expect(await states()).toEqual(['dead', 'dead']);
    const nobody = database.write((sql) => catalog.machines.setState(sql, { hostaddr: '10.1.0.9' }, 'dead'));
    await expect(nobody).rejects.toMatchObject({ kind: 'machine_not_found' });
  });

  it('shows the space of its directories', async () => {
    await database.write(async (sql) => {
      const machine = await catalog.machines.find(sql, storage);
      if (machine === undefined) throw new Error('no machine');
      const use = (usedMb: number) => ({ usedMb, availableMb: usedMb * 10 });
      for (const round of [1, 2]) {
        await catalog.machines.recordSpace(sql, machine.id, {
          compDatadir: use(round),
          datadir: use(round * 2),
          walLogDir: use(round * 3),
          logdir: use(round * 4),
        });
      }
    });
    expect(await look('SELECT * FROM server_nodes_stats WHERE datadir_used = 4')).toMatchObject({
      comp_datadir_used: 2,
      datadir_avail: 40,
      wal_log_dir_used: 6,
      log_dir_avail: 80,
    });
  });

  it('is not removed while its ports are taken, naming by whom', async () => {
    await database.write((sql) => catalog.ports.reserve(sql, { ...storage, owner: 'cluster9-node1' }));
    const inUse = database.write((sql) => catalog.machines.remove(sql, storage));
    await expect(inUse).rejects.toMatchObject({
      kind: 'machine_in_use',
      message: expect.stringContaining('cluster9-node1'),
    });
    await database.write(async (sql) => {
      await catalog.ports.release(sql, 'cluster9-node1');
      await catalog.machines.remove(sql, storage);
      expect(await catalog.machines.find(sql, storage)).toBeUndefined();
    });
    const again = database.write((sql) => catalog.machines.remove(sql, storage));
    await expect(again).rejects.toMatchObject({ kind: 'machine_not_found' });
  });
});

describe('agents', () => {
  const host = '10.2.0.1';

  it('are known by the last port that they reported, also by the machines of their host', async () => {
    const key = { hostaddr: host, machineType: 'storage' } as const;
    await database.write((sql) => catalog.machines.insert(sql, newMachine(key)));
    for (const port of [23_200, 23_201]) {
      await database.write((sql) => catalog.agents.register(sql, { hostaddr: host, port }));
    }
    await database.read(async (sql) => {
      expect(await catalog.agents.find(sql, host)).toMatchObject({ agentPort: 23_201 });
      expect((await catalog.machines.find(sql, key))?.agentPort).toBe(23_201);
      const rows = await sql.rows(
        'SELECT machine_type, nodemgr_port FROM server_nodes WHERE hostaddr = ? ORDER BY id',
        [host],
        (row) => [row['machine_type'], row['nodemgr_port']],
      );
      expect(rows).toEqual([
        ['storage', 23_201],
        [null, 23_201],
      ]);
    });
    await database.write((sql) => catalog.agents.remove(sql, host));
    expect(await database.read((sql) => catalog.agents.list(sql))).toEqual([]);
  });
});

describe('credentials', () => {
  const scope = clusterScope(clusterId(7));

  it('are stored sealed, and kept when a step is repeated', async () => {
    await catalog.credentials.putMissing(scope, { management: { user: 'm', password: 'first-password' } });
    await catalog.credentials.putMissing(scope, {
      management: { user: 'm', password: 'second-password' },
      monitor: { user: 'o', password: 'third-password' },
    });
    const stored = await catalog.credentials.read(scope);
    expect(stored.get('management')).toEqual({ user: 'm', password: 'first-password' });
    expect(stored.get('monitor')).toEqual({ user: 'o', password: 'third-password' });
    const rows = await database.read((sql) =>
      sql.rows(
        'SELECT * FROM kluster_credentials',
        [],
        (row) => `${textOf(row, 'user_name')} ${JSON.stringify(row)}`,
      ),
    );
    expect(rows).toHaveLength(2);
    expect(rows.join('\n')).not.toMatch(/(first|second|third)-password/);
    await database.write((sql) =>
      catalog.credentials.put(sql, scope, 'management', { user: 'm', password: 'new' }),
    );
    expect((await catalog.credentials.read(scope)).get('management')?.password).toBe('new');
    await database.write((sql) => catalog.credentials.removeScope(sql, scope));
    expect((await catalog.credentials.read(scope)).size).toBe(0);
  });

  it('cannot be opened with another key, and the error says which key file is wrong', async () => {
    await catalog.credentials.putMissing(scope, { management: { user: 'm', password: 'p' } });
    const other = new Catalog(database, 'x'.repeat(43));
    await expect(other.credentials.read(scope)).rejects.toMatchObject({
      kind: 'metadata',
      message: expect.stringContaining('key file'),
    });
  });
});

describe('managers and metadata nodes', () => {
  it('name exactly one leader and one primary', async () => {
    const at = (port: number) => ({ hostaddr: '10.3.0.1', port });
    await database.write(async (sql) => {
      await catalog.managers.add(sql, at(23_300));
      await catalog.managers.setLeader(sql, at(23_301));
      await catalog.managers.setLeader(sql, at(23_300));
      expect(await catalog.managers.list(sql)).toEqual([
        { ...at(23_300), memberState: 'source' },
        { ...at(23_301), memberState: 'replica' },
      ]);
      await catalog.managers.remove(sql, at(23_301));
      for (const port of [23_400, 23_401]) {
        await catalog.metadataNodes.put(sql, at(port), { user: 'monitor', password: 'p' });
      }
      await catalog.metadataNodes.setPrimary(sql, at(23_401));
      expect((await catalog.metadataNodes.list(sql)).map((node) => [node.port, node.memberState])).toEqual([
        [23_400, 'replica'],
        [23_401, 'source'],
      ]);
      expect(await catalog.metadataNodes.mode(sql)).toBe('no_rep');
      await catalog.metadataNodes.setMode(sql, 'rbr');
      expect(await catalog.metadataNodes.mode(sql)).toBe('rbr');
      await catalog.metadataNodes.remove(sql, at(23_400));
      expect(await catalog.metadataNodes.list(sql)).toHaveLength(1);
    });
    const first = await look('SELECT name, value FROM global_configuration LIMIT 1');
    expect(first).toEqual({ name: 'meta_ha_mode', value: 'rbr' });
  });
});
