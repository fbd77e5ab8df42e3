import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { Machines, type MachineKey } from '../../../src/catalog/machines.ts';
import { Ports, portStride } from '../../../src/catalog/ports.ts';
import { textOrNull, type Sql } from '../../../src/catalog/sql.ts';
import type { PortRange } from '../../../src/core/model.ts';
import { newMachine } from '../../support/catalog-fixtures.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

const machines = new Machines();
const ports = new Ports();
const ranges = {
  storage: { first: 57_000, last: 57_030 },
  computer: { first: 57_020, last: 57_040 },
} as const;
const hosts = ['10.0.0.1', '10.0.0.2'] as const;

let server: MetadataServer;
let database: MetadataDatabase;
beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
  await database.write(async (sql) => {
    for (const hostaddr of hosts) {
      for (const machineType of ['storage', 'computer'] as const) {
        await machines.insert(sql, newMachine({ hostaddr, machineType, portRange: ranges[machineType] }));
      }
    }
  });
});
afterAll(() => server?.stop());
beforeEach(() => database.write(clear));

async function clear(sql: Sql): Promise<void> {
  for (const { owner } of await ports.list(sql)) await ports.release(sql, owner);
}

const storage = (hostaddr: string): MachineKey => ({ hostaddr, machineType: 'storage' });

/** Everything that must hold whatever has been reserved and released. */
async function checkInvariants(): Promise<void> {
  const { all, rows } = await database.read(async (sql) => ({
    all: await ports.list(sql),
    rows: await sql.rows(
      'SELECT hostaddr, machine_type, installing_port, used_port FROM server_nodes WHERE machine_type IS NOT NULL',
      [],
      (row) => ({
        hostaddr: textOrNull(row, 'hostaddr'),
        machineType: textOrNull(row, 'machine_type'),
        installing: textOrNull(row, 'installing_port'),
        used: textOrNull(row, 'used_port'),
      }),
    ),
  }));
  for (const host of hosts) {
    const taken = all
      .filter((entry) => entry.hostaddr === host)
      .flatMap((entry) => Array.from({ length: entry.stride }, (_, step) => entry.firstPort + step));
    expect(new Set(taken).size).toBe(taken.length);
  }
  for (const entry of all) {
    const range: PortRange = ranges[entry.machineType];
    expect(entry.firstPort).toBeGreaterThan(range.first);
    expect(entry.firstPort + entry.stride - 1).toBeLessThanOrEqual(range.last);
  }
  for (const row of rows) {
    const text = (state: string): string | null =>
      all
        .filter(({ hostaddr, machineType }) => hostaddr === row.hostaddr && machineType === row.machineType)
        .filter((entry) => entry.state === state)
        .map((entry) => `${String(entry.firstPort)},`)
        .join('') || null;
    expect(row).toMatchObject({ installing: text('installing'), used: text('used') });
  }
}

describe('reservations', () => {
  it('begin one after the begin of the range, in steps of the stride, and fill gaps', async () => {
    await database.write(async (sql) => {
      const at = storage('10.0.0.1');
      const given = [];
      for (const owner of ['a', 'b', 'c']) given.push(await ports.reserve(sql, { ...at, owner }));
      expect(given).toEqual([57_001, 57_005, 57_009]);
      await ports.release(sql, 'b');
      expect(await ports.reserve(sql, { ...at, owner: 'd' })).toBe(57_005);
      expect(await ports.reserve(sql, { hostaddr: '10.0.0.2', machineType: 'storage', owner: 'e' })).toBe(
        57_001,
      );
      expect(await ports.reserve(sql, { hostaddr: '10.0.0.2', machineType: 'computer', owner: 'f' })).toBe(
        57_021,
      );
      expect(await ports.reserve(sql, { hostaddr: '10.0.0.2', machineType: 'computer', owner: 'g' })).toBe(
        57_024,
      );
    });
    await checkInvariants();
  });

  it('give the same owner the same port again, and another one when that was found busy', async () => {
    await database.write(async (sql) => {
      const request = { ...storage('10.0.0.1'), owner: 'a' };
      expect(await ports.reserve(sql, request)).toBe(57_001);
      expect(await ports.reserve(sql, request)).toBe(57_001);
      expect(await ports.reserve(sql, { ...request, exclude: [57_001] })).toBe(57_005);
      expect(await ports.reserve(sql, { ...request, exclude: [57_001, 57_008] })).toBe(57_009);
      expect(await ports.reserve(sql, request)).toBe(57_009);
      expect(await ports.list(sql)).toHaveLength(1);
    });
    await checkInvariants();
  });

  it('refuse an owner that has ports elsewhere', async () => {
    await database.write((sql) => ports.reserve(sql, { ...storage('10.0.0.1'), owner: 'a' }));
    const elsewhere = database.write((sql) => ports.reserve(sql, { ...storage('10.0.0.2'), owner: 'a' }));
    await expect(elsewhere).rejects.toMatchObject({ kind: 'instance_conflict' });
  });

  it('name the range and the host when it has no room', async () => {
    await database.write(async (sql) => {
      for (let n = 0; n < 7; n += 1)
        await ports.reserve(sql, { ...storage('10.0.0.1'), owner: `s${String(n)}` });
      await expect(ports.reserve(sql, { ...storage('10.0.0.1'), owner: 'last' })).rejects.toMatchObject({
        kind: 'not_enough_storage_machines',
        message: expect.stringMatching(/57000-57030.*10\.0\.0\.1.*last/),
      });
      for (let n = 0; n < 3; n += 1) {
        await ports.reserve(sql, { hostaddr: '10.0.0.1', machineType: 'computer', owner: `c${String(n)}` });
      }
      await expect(
        ports.reserve(sql, { hostaddr: '10.0.0.1', machineType: 'computer', owner: 'last' }),
      ).rejects.toMatchObject({ kind: 'not_enough_computer_machines' });
    });
  });

  it('refuse a machine that is not registered', async () => {
    const unknown = database.write((sql) => ports.reserve(sql, { ...storage('10.9.9.9'), owner: 'a' }));
    await expect(unknown).rejects.toMatchObject({ kind: 'machine_not_found' });
  });

  it('never overlap and always equal the public columns, in any sequence', async () => {
    const owner = fc.integer({ min: 0, max: 9 }).map((n) => `owner${String(n)}`);
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('reserve' as const),
        owner,
        hostaddr: fc.constantFrom(...hosts),
        machineType: fc.constantFrom('storage' as const, 'computer' as const),
        exclude: fc.array(fc.integer({ min: 57_000, max: 57_040 }), { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('used' as const), owner }),
      fc.record({ kind: fc.constant('release' as const), owner }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 30 }), async (actions) => {
        await database.write(clear);
        for (const step of actions) {
          await database.write(async (sql) => {
            if (step.kind === 'used') await ports.markUsed(sql, step.owner);
            else if (step.kind === 'release') await ports.release(sql, step.owner);
            else await reserveIfPossible(sql, step);
          });
        }
        await checkInvariants();
      }),
      { numRuns: 25 },
    );
  });

  it('do not collide when they are made at the same time', async () => {
    const wide = server.another({ connectionLimit: 9 });
    await wide.takeOffice('wide');
    const wanted = Array.from({ length: 8 }, (_, n) => ({
      hostaddr: '10.0.0.1',
      machineType: n < 5 ? ('storage' as const) : ('computer' as const),
      owner: `o${String(n)}`,
    }));
    const given = await Promise.all(
      wanted.map((request) => wide.write((sql) => ports.reserve(sql, request))),
    );
    expect(new Set(given).size).toBe(wanted.length);
    await checkInvariants();
    await database.takeOffice('test');
  });
});

async function reserveIfPossible(
  sql: Sql,
  request: MachineKey & { readonly owner: string; readonly exclude: readonly number[] },
): Promise<void> {
  const before = await ports.find(sql, request.owner);
  try {
    const first = await ports.reserve(sql, request);
    const block = Array.from({ length: portStride[request.machineType] }, (_, step) => first + step);
    expect(block.some((port) => request.exclude.includes(port))).toBe(false);
  } catch (error) {
    expect(error).toMatchObject({
      kind: expect.stringMatching(/^(instance_conflict|not_enough_(storage|computer)_machines)$/),
    });
    expect(await ports.find(sql, request.owner)).toEqual(before);
  }
}
