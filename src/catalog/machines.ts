import { KlusterError } from '../core/errors/kluster-error.ts';
import { machineId, type MachineId } from '../core/ids.ts';
import type { Machine, MachineState, MachineType, PortRange } from '../core/model.ts';
import { listOf, oneOf } from './columns.ts';
import { isDuplicate } from './metadata-error.ts';
import { firstRow, numberOf, textOf, textOrNull, type Sql, type SqlRow, type SqlValue } from './sql.ts';

export const machineTypes = ['storage', 'computer'] as const satisfies readonly MachineType[];
export const machineStates = ['running', 'idle', 'dead'] as const satisfies readonly MachineState[];

/** What the operator says about a machine. */
export interface MachineProperties {
  readonly rackId: string;
  readonly portRange: PortRange;
  readonly datadir: readonly string[];
  readonly logdir: readonly string[];
  readonly walLogDir: readonly string[];
  readonly compDatadir: readonly string[];
  readonly totalMemoryMb: number;
  readonly totalCpuCores: number;
}

export interface NewMachine extends MachineProperties {
  readonly hostaddr: string;
  readonly machineType: MachineType;
  readonly agentPort: number;
}

/** A machine by its natural key. */
export interface MachineKey {
  readonly hostaddr: string;
  readonly machineType: MachineType;
}

export interface MachineFilter {
  readonly hostaddr?: string;
  readonly machineType?: MachineType;
  readonly state?: MachineState;
}

/** MB per kind of directory, summed over the machine's paths. */
export interface DirectoryUse {
  readonly usedMb: number;
  readonly availableMb: number;
}

export interface MachineSpace {
  readonly compDatadir: DirectoryUse;
  readonly datadir: DirectoryUse;
  readonly walLogDir: DirectoryUse;
  readonly logdir: DirectoryUse;
}

const selectMachines = `
  SELECT machine.*, COALESCE(agent.agent_port, machine.nodemgr_port) AS agent_port
    FROM server_nodes AS machine LEFT JOIN kluster_agents AS agent ON agent.hostaddr = machine.hostaddr
   WHERE machine.machine_type IS NOT NULL`;

export function parsePortRange(text: string): PortRange {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (first === undefined || last === undefined) throw new TypeError(`not a port range: ${text}`);
  return { first: Number(first), last: Number(last) };
}

export const portRangeText = (range: PortRange): string => `${String(range.first)}-${String(range.last)}`;

function parseMachine(row: SqlRow): Machine {
  return {
    id: machineId(numberOf(row, 'id')),
    hostaddr: textOf(row, 'hostaddr'),
    machineType: oneOf(row, 'machine_type', machineTypes),
    rackId: textOrNull(row, 'rack_id') ?? '',
    state: oneOf(row, 'node_stats', machineStates),
    agentPort: numberOf(row, 'agent_port'),
    portRange: parsePortRange(textOf(row, 'port_range')),
    datadir: listOf(row, 'datadir'),
    logdir: listOf(row, 'logdir'),
    walLogDir: listOf(row, 'wal_log_dir'),
    compDatadir: listOf(row, 'comp_datadir'),
    totalMemoryMb: numberOf(row, 'total_mem'),
    totalCpuCores: numberOf(row, 'total_cpu_cores'),
  };
}

/** The public columns hold comma lists, so a path cannot hold a comma. */
function pathList(paths: readonly string[]): string {
  const bad = paths.find((path) => path.includes(','));
  if (bad !== undefined) {
    throw new KlusterError('invalid_parameters', `the path ${bad} holds a comma, which separates paths`);
  }
  return paths.join(',');
}

function propertyValues(machine: MachineProperties): readonly SqlValue[] {
  return [
    machine.rackId,
    portRangeText(machine.portRange),
    pathList(machine.datadir),
    pathList(machine.logdir),
    pathList(machine.walLogDir),
    pathList(machine.compDatadir),
    machine.totalMemoryMb,
    machine.totalCpuCores,
  ];
}

const keyText = (key: MachineKey): string => `${key.machineType} machine ${key.hostaddr}`;

/** Hosts that may carry nodes: one row of server_nodes per host address and type. */
export class Machines {
  list(sql: Sql, filter: MachineFilter = {}): Promise<readonly Machine[]> {
    const { hostaddr = null, machineType = null, state = null } = filter;
    return sql.rows(
      `${selectMachines} AND (? IS NULL OR machine.hostaddr = ?) AND (? IS NULL OR machine.machine_type = ?)
         AND (? IS NULL OR machine.node_stats = ?) ORDER BY machine.id`,
      [hostaddr, hostaddr, machineType, machineType, state, state],
      parseMachine,
    );
  }

  async find(sql: Sql, key: MachineKey): Promise<Machine | undefined> {
    const [machine] = await this.list(sql, key);
    return machine;
  }

  findById(sql: Sql, id: MachineId): Promise<Machine | undefined> {
    return firstRow(sql, `${selectMachines} AND machine.id = ?`, [id], parseMachine);
  }

  /** @throws KlusterError machine_exists */
  async insert(sql: Sql, machine: NewMachine): Promise<MachineId> {
    try {
      const { insertId } = await sql.execute(
        `INSERT INTO server_nodes (hostaddr, machine_type, nodemgr_port, rack_id, port_range, datadir, logdir,
           wal_log_dir, comp_datadir, total_mem, total_cpu_cores) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [machine.hostaddr, machine.machineType, machine.agentPort, ...propertyValues(machine)],
      );
      await sql.execute('INSERT INTO server_nodes_stats (id) VALUES (?)', [insertId]);
      return machineId(insertId);
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      throw new KlusterError('machine_exists', `the ${keyText(machine)} is registered already`);
    }
  }

  /** Changes what is named, keeps the rest. @throws KlusterError machine_not_found */
  async update(sql: Sql, key: MachineKey, changes: Partial<MachineProperties>): Promise<void> {
    const id = await this.lock(sql, key);
    const machine = await this.findById(sql, id);
    if (machine === undefined) throw new Error(`machine ${String(id)} vanished under its lock`);
    await sql.execute(
      `UPDATE server_nodes SET rack_id = ?, port_range = ?, datadir = ?, logdir = ?, wal_log_dir = ?,
         comp_datadir = ?, total_mem = ?, total_cpu_cores = ? WHERE id = ?`,
      [...propertyValues({ ...machine, ...changes }), id],
    );
  }

  /** Of one type, or of every type that the host has. @throws KlusterError machine_not_found */
  async setState(
    sql: Sql,
    key: { readonly hostaddr: string; readonly machineType?: MachineType },
    state: MachineState,
  ): Promise<void> {
    const { hostaddr, machineType = null } = key;
    const { affectedRows } = await sql.execute(
      `UPDATE server_nodes SET node_stats = ?
        WHERE hostaddr = ? AND machine_type IS NOT NULL AND (? IS NULL OR machine_type = ?)`,
      [state, hostaddr, machineType, machineType],
    );
    if (affectedRows === 0) {
      throw new KlusterError('machine_not_found', `no machine with address ${hostaddr} is registered`);
    }
  }

  /** @throws KlusterError machine_not_found; machine_in_use while ports are reserved or nodes live on it */
  async remove(sql: Sql, key: MachineKey): Promise<void> {
    const id = await this.requireUnused(sql, key);
    await sql.execute('DELETE FROM server_nodes WHERE id = ?', [id]);
  }

  /** Stays so until the transaction ends. @throws KlusterError machine_not_found, machine_in_use */
  async requireUnused(sql: Sql, key: MachineKey): Promise<MachineId> {
    const id = await this.lock(sql, key);
    const users = await sql.rows(
      `SELECT CONCAT(owner, ' (port ', first_port, ')') AS user FROM kluster_ports WHERE hostaddr = ? AND machine_type = ?
       UNION SELECT CONCAT('storage node ', hostaddr, ':', port) FROM shard_nodes WHERE svr_node_id = ?
       UNION SELECT CONCAT('compute node ', hostaddr, ':', port) FROM comp_nodes WHERE svr_node_id = ?
       ORDER BY user LIMIT 10`,
      [key.hostaddr, key.machineType, id, id],
      (row) => textOf(row, 'user'),
    );
    if (users.length > 0) {
      throw new KlusterError('machine_in_use', `the ${keyText(key)} is in use by ${users.join(', ')}`);
    }
    return id;
  }

  async recordSpace(sql: Sql, id: MachineId, space: MachineSpace): Promise<void> {
    const { compDatadir, datadir, walLogDir, logdir } = space;
    const values = [compDatadir, datadir, walLogDir, logdir].flatMap((use) => [use.usedMb, use.availableMb]);
    await sql.execute(
      `INSERT INTO server_nodes_stats (id, comp_datadir_used, comp_datadir_avail, datadir_used, datadir_avail,
         wal_log_dir_used, wal_log_dir_avail, log_dir_used, log_dir_avail)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) AS seen ON DUPLICATE KEY UPDATE
         comp_datadir_used = seen.comp_datadir_used, comp_datadir_avail = seen.comp_datadir_avail,
         datadir_used = seen.datadir_used, datadir_avail = seen.datadir_avail,
         wal_log_dir_used = seen.wal_log_dir_used, wal_log_dir_avail = seen.wal_log_dir_avail,
         log_dir_used = seen.log_dir_used, log_dir_avail = seen.log_dir_avail`,
      [id, ...values],
    );
  }

  /** Port reservations lock the same rows, so none can appear between a check and what follows it. */
  private async lock(sql: Sql, key: MachineKey): Promise<MachineId> {
    const id = await firstRow(
      sql,
      'SELECT id FROM server_nodes WHERE hostaddr = ? AND machine_type = ? FOR UPDATE',
      [key.hostaddr, key.machineType],
      (row) => machineId(numberOf(row, 'id')),
    );
    if (id === undefined)
      throw new KlusterError('machine_not_found', `the ${keyText(key)} is not registered`);
    return id;
  }
}
