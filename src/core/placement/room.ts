import type { MachineState } from '../model.ts';

/** A machine that may take nodes: what it has, and what is taken already. */
export interface CandidateMachine {
  readonly hostaddr: string;
  /** Machines of one rack fail together. */
  readonly rackId: string;
  /** Only `running` machines receive nodes; any other state is refused here as well. */
  readonly state: MachineState;
  readonly totalMemoryMb: number;
  /** Promised to nodes of every role that live on this host. */
  readonly reservedMemoryMb: number;
  readonly cpuCores: number;
  /** Of the directories that the new nodes would use; `undefined` when nobody could measure it. */
  readonly availableDiskMb: number | undefined;
  /** Nodes of every role that live on this host. */
  readonly nodes: number;
  /** How many of them are primaries of a shard. */
  readonly primaries: number;
  /** Nodes that the free part of the port range can still take. */
  readonly freePortSlots: number;
}

/** What one new node takes from its machine, besides one slot of the port range. */
export interface NodeDemand {
  readonly memoryMb: number;
  readonly diskMb: number;
}

/** How many nodes of one kind fit on a machine, and why not more. */
export interface Room {
  readonly slots: number;
  /** The machine, its slots and each limit, in words. */
  readonly explanation: string;
}

function fitting(available: number, demand: number): number {
  if (demand <= 0) return Number.MAX_SAFE_INTEGER;
  return Math.max(0, Math.floor(available / demand));
}

export function roomOf(machine: CandidateMachine, demand: NodeDemand): Room {
  if (machine.state !== 'running') {
    return { slots: 0, explanation: `${machine.hostaddr} is ${machine.state}, not running` };
  }
  const freeMemoryMb = machine.totalMemoryMb - machine.reservedMemoryMb;
  const byMemory = fitting(freeMemoryMb, demand.memoryMb);
  const byDisk = fitting(machine.availableDiskMb ?? Number.MAX_SAFE_INTEGER, demand.diskMb);
  const slots = Math.min(byMemory, byDisk, machine.freePortSlots);
  const limits: string[] = [];
  if (byMemory === slots) {
    limits.push(
      `${String(Math.max(0, freeMemoryMb))} of ${String(machine.totalMemoryMb)} MiB memory free, a node needs ${String(demand.memoryMb)}`,
    );
  }
  if (byDisk === slots) {
    limits.push(
      `${String(machine.availableDiskMb)} MiB disk available, a node needs ${String(demand.diskMb)}`,
    );
  }
  if (machine.freePortSlots === slots) {
    limits.push(`the port range has ports for ${String(slots)} more`);
  }
  return {
    slots,
    explanation: `${machine.hostaddr} has room for ${String(slots)}: ${limits.join('; ')}`,
  };
}
