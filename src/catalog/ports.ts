import { KlusterError } from '../core/errors/kluster-error.ts';
import type { MachineType, PortRange } from '../core/model.ts';
import { oneOf } from './columns.ts';
import { machineTypes, parsePortRange, portRangeText, type MachineKey } from './machines.ts';
import { isDuplicate } from './metadata-error.ts';
import { numberOf, textOf, type Sql, type SqlRow } from './sql.ts';

/**
 * Ports that one instance takes, from the first: storage: MySQL, exporter, group replication, X protocol; compute:
 * PostgreSQL, MySQL protocol, exporter. Consoles count on these distances.
 */
export const portStride = { storage: 4, computer: 3 } as const satisfies Record<MachineType, number>;

const reservationStates = ['installing', 'used'] as const;
export type ReservationState = (typeof reservationStates)[number];

export interface PortReservation extends MachineKey {
  /** The instance that the ports are for. */
  readonly owner: string;
  readonly firstPort: number;
  readonly stride: number;
  readonly state: ReservationState;
}

export interface PortRequest extends MachineKey {
  readonly owner: string;
  /** Ports that were found busy on the host. */
  readonly exclude?: readonly number[];
}

interface LockedMachine {
  readonly id: number;
  readonly machineType: MachineType;
  readonly range: PortRange;
}

const parseReservation = (row: SqlRow): PortReservation => ({
  owner: textOf(row, 'owner'),
  hostaddr: textOf(row, 'hostaddr'),
  machineType: oneOf(row, 'machine_type', machineTypes),
  firstPort: numberOf(row, 'first_port'),
  stride: numberOf(row, 'stride'),
  state: oneOf(row, 'state', reservationStates),
});

/** "57001,57005,", the notation of the public columns; SQL NULL when there are none. */
function portList(reservations: readonly PortReservation[]): string | null {
  const ports = reservations.map((reservation) => `${String(reservation.firstPort)},`);
  return ports.length === 0 ? null : ports.join('');
}

/** The lowest free block: the first begins one after the range's begin, the others in steps of the stride. */
export function lowestFreePort(
  range: PortRange,
  stride: number,
  taken: readonly Pick<PortReservation, 'firstPort' | 'stride'>[],
  exclude: readonly number[],
): number | undefined {
  for (let first = range.first + 1; first + stride - 1 <= range.last; first += stride) {
    const last = first + stride - 1;
    const overlaps = taken.some(
      (other) => other.firstPort <= last && first <= other.firstPort + other.stride - 1,
    );
    if (!overlaps && !exclude.some((port) => port >= first && port <= last)) return first;
  }
  return undefined;
}

/**
 * Which ports of a host belong to which instance. All changes of one host are serialised by locks on its rows of
 * server_nodes, so reservations never overlap, whatever managers and pools they come from; the public columns
 * installing_port, used_port and current_port_pos are kept equal to them in the same transaction.
 */
export class Ports {
  /**
   * The first of the ports for one instance. The same owner gets the same answer again, unless that is among
   * `exclude`: then the reservation moves to other ports.
   *
   * @throws KlusterError machine_not_found; not_enough_storage_machines or not_enough_computer_machines when the
   *   range has no room; instance_conflict when the owner has ports on another machine
   */
  async reserve(sql: Sql, request: PortRequest): Promise<number> {
    const { hostaddr, machineType, owner, exclude = [] } = request;
    const machine = await this.lockMachine(sql, request);
    const own = await this.find(sql, owner);
    if (own !== undefined && (own.hostaddr !== hostaddr || own.machineType !== machineType)) {
      throw conflictError(request, own);
    }
    if (own !== undefined && !isExcluded(own, exclude)) return own.firstPort;
    const taken = (await this.list(sql, hostaddr)).filter((reservation) => reservation.owner !== owner);
    const stride = portStride[machineType];
    const firstPort = lowestFreePort(machine.range, stride, taken, exclude);
    if (firstPort === undefined) throw exhaustedError(request, machine.range, taken);
    await this.store(sql, { owner, hostaddr, machineType, firstPort, stride, state: 'installing' }, own);
    await this.mirror(sql, machine, hostaddr, firstPort);
    return firstPort;
  }

  /** The instance runs. Nothing happens when the owner has no ports. */
  async markUsed(sql: Sql, owner: string): Promise<void> {
    await this.change(sql, owner, "UPDATE kluster_ports SET state = 'used' WHERE owner = ?");
  }

  /** The instance is gone. Nothing happens when the owner has no ports. */
  async release(sql: Sql, owner: string): Promise<void> {
    await this.change(sql, owner, 'DELETE FROM kluster_ports WHERE owner = ?');
  }

  async find(sql: Sql, owner: string): Promise<PortReservation | undefined> {
    const [reservation] = await sql.rows(
      'SELECT * FROM kluster_ports WHERE owner = ?',
      [owner],
      parseReservation,
    );
    return reservation;
  }

  /** Of one host, or of all, in the order of ports. */
  list(sql: Sql, hostaddr?: string): Promise<readonly PortReservation[]> {
    return sql.rows(
      'SELECT * FROM kluster_ports WHERE ? IS NULL OR hostaddr = ? ORDER BY hostaddr, first_port',
      [hostaddr ?? null, hostaddr ?? null],
      parseReservation,
    );
  }

  private async change(sql: Sql, owner: string, statement: string): Promise<void> {
    const reservation = await this.find(sql, owner);
    if (reservation === undefined) return;
    const machine = await this.lockMachine(sql, reservation);
    await sql.execute(statement, [owner]);
    await this.mirror(sql, machine, reservation.hostaddr);
  }

  /** Locks the rows of every type that the host has: their ranges may overlap. */
  private async lockMachine(sql: Sql, key: MachineKey): Promise<LockedMachine> {
    const machines = await sql.rows(
      `SELECT id, machine_type, port_range FROM server_nodes
        WHERE hostaddr = ? AND machine_type IS NOT NULL ORDER BY machine_type FOR UPDATE`,
      [key.hostaddr],
      (row): LockedMachine => ({
        id: numberOf(row, 'id'),
        machineType: oneOf(row, 'machine_type', machineTypes),
        range: parsePortRange(textOf(row, 'port_range')),
      }),
    );
    const machine = machines.find((candidate) => candidate.machineType === key.machineType);
    if (machine !== undefined) return machine;
    throw new KlusterError(
      'machine_not_found',
      `the ${key.machineType} machine ${key.hostaddr} is not registered`,
    );
  }

  private async store(
    sql: Sql,
    reservation: PortReservation,
    old: PortReservation | undefined,
  ): Promise<void> {
    const { owner, hostaddr, machineType, firstPort, stride } = reservation;
    if (old !== undefined) {
      await sql.execute("UPDATE kluster_ports SET first_port = ?, state = 'installing' WHERE owner = ?", [
        firstPort,
        owner,
      ]);
      return;
    }
    try {
      await sql.execute(
        'INSERT INTO kluster_ports (owner, hostaddr, machine_type, first_port, stride) VALUES (?, ?, ?, ?, ?)',
        [owner, hostaddr, machineType, firstPort, stride],
      );
    } catch (error) {
      // The same owner reserved on another host at this moment: only that host's rows were locked.
      if (isDuplicate(error)) throw conflictError(reservation, undefined);
      throw error;
    }
  }

  private async mirror(
    sql: Sql,
    machine: LockedMachine,
    hostaddr: string,
    lastGiven?: number,
  ): Promise<void> {
    const own = (await this.list(sql, hostaddr)).filter((entry) => entry.machineType === machine.machineType);
    await sql.execute(
      `UPDATE server_nodes SET installing_port = ?, used_port = ?, current_port_pos = COALESCE(?, current_port_pos)
        WHERE id = ?`,
      [
        portList(own.filter((entry) => entry.state === 'installing')),
        portList(own.filter((entry) => entry.state === 'used')),
        lastGiven ?? null,
        machine.id,
      ],
    );
  }
}

function isExcluded(reservation: PortReservation, exclude: readonly number[]): boolean {
  const { firstPort, stride } = reservation;
  return exclude.some((port) => port >= firstPort && port < firstPort + stride);
}

function conflictError(request: PortRequest, own: PortReservation | undefined): KlusterError {
  const where = own === undefined ? 'another machine' : `the ${own.machineType} machine ${own.hostaddr}`;
  return new KlusterError(
    'instance_conflict',
    `${request.owner} wants ports on the ${request.machineType} machine ${request.hostaddr}, but has some on ${where}`,
  );
}

function exhaustedError(
  request: PortRequest,
  range: PortRange,
  taken: readonly PortReservation[],
): KlusterError {
  const { hostaddr, machineType, exclude = [] } = request;
  const kind = machineType === 'storage' ? 'not_enough_storage_machines' : 'not_enough_computer_machines';
  const busy = exclude.length === 0 ? '' : `, ${String(exclude.length)} ports were found busy`;
  return new KlusterError(
    kind,
    `the port range ${portRangeText(range)} of the ${machineType} machine ${hostaddr} has no ` +
      `${String(portStride[machineType])} free ports in a row for ${request.owner}: ` +
      `${String(taken.length)} reservations on the host${busy}`,
  );
}
