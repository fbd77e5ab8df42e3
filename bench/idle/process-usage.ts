import { readFile } from 'node:fs/promises';
import { processTree, type ProcessIdentity } from '../../src/engines/process-identity.ts';

/** Clock ticks of /proc/<pid>/stat in a second: USER_HZ, which Linux shows to programs as 100 on every processor. */
const ticksPerSecond = 100;

/** What a process and those that it started use. */
export interface Usage {
  readonly processes: number;
  /** Since their start, with that of their children which have ended. */
  readonly cpuSeconds: number;
  /** KiB of memory mapped, shared pages counted in every process. */
  readonly residentKib: number;
  /** KiB of memory, shared pages divided by the number of processes that share them. */
  readonly proportionalKib: number;
}

/** Of the process and those that it started, without `others` and those that these started. */
export async function usageOf(root: ProcessIdentity, others: readonly ProcessIdentity[]): Promise<Usage> {
  const below = processTree(root);
  const pids = new Set(below.map(({ pid }) => pid));
  const foreign = others.filter(({ pid }) => pid !== root.pid && pids.has(pid)).flatMap(processTree);
  const excluded = new Set(foreign.map(({ pid }) => pid));
  const members = below.filter(({ pid }) => !excluded.has(pid));
  if (members.length === 0) throw new Error(`process ${String(root.pid)} has ended while it was measured`);
  const usages = await Promise.all(members.map(({ pid }) => usageOfOne(pid)));
  const sum = (value: (usage: Usage) => number): number =>
    usages.reduce((total, usage) => total + value(usage), 0);
  return {
    processes: members.length,
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    residentKib: sum(({ residentKib }) => residentKib),
    proportionalKib: sum(({ proportionalKib }) => proportionalKib),
  };
}

async function usageOfOne(pid: number): Promise<Usage> {
  const directory = `/proc/${String(pid)}`;
  const [stat, memory] = await Promise.all([
    readFile(`${directory}/stat`, 'utf8'),
    readFile(`${directory}/smaps_rollup`, 'utf8'),
  ]);
  // The name (field 2) is in parentheses and may hold blanks; what follows begins with field 3 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
  return {
    processes: 1,
    cpuSeconds: ticks / ticksPerSecond,
    residentKib: kib(memory, 'Rss'),
    proportionalKib: kib(memory, 'Pss'),
  };
}

function kib(memory: string, name: string): number {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(memory)?.[1];
  if (found === undefined) throw new Error(`smaps_rollup has no ${name}`);
  return Number(found);
}
