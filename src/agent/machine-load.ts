import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/** Sums of all cores in milliseconds. */
function cpuTimes(): CpuTimes {
  const times = cpus().map((core) => core.times);
  const idle = times.reduce((sum, { idle }) => sum + idle, 0);
  const total = times.reduce(
    (sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq,
    0,
  );
  return { busy: total - idle, total };
}

/** Tells the share of all cores that was busy since it was last asked, 0..1. One per reader. */
export class CpuMeter {
  readonly cores = cpus().length;
  #last = cpuTimes();

  read(): number {
    const now = cpuTimes();
    const total = now.total - this.#last.total;
    const busy = now.busy - this.#last.busy;
    this.#last = now;
    return total <= 0 ? 0 : Math.min(1, Math.max(0, busy / total));
  }
}

export interface Memory {
  readonly totalMemoryMb: number;
  /** What can be taken without swapping: free memory and caches that can be given up. */
  readonly availableMemoryMb: number;
}

/** From /proc/meminfo, proc(5). */
export async function readMemory(): Promise<Memory> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const megabytes = (name: string): number => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/meminfo has no ${name}`);
    return Math.floor(Number(kibibytes) / 1024);
  };
  return { totalMemoryMb: megabytes('MemTotal'), availableMemoryMb: megabytes('MemAvailable') };
}
