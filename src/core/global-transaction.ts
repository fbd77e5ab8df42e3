/**
 * A transaction of a compute node over several shards. Its branches are named `<comp id>-<seconds>-<local number>` on every
 * shard; the commit log knows it by its compute node and number.
 */
export interface GlobalTransaction {
  readonly compId: number;
  /** (Unix seconds << 32) + local number. */
  readonly number: bigint;
}

const pattern = /^(\d{1,10})-(\d{1,10})-(\d{1,10})$/;
const highest = 0xff_ff_ff_ff;

/** Undefined for a name that no compute node gives: such a branch belongs to somebody else. */
export function parseBranchName(name: string): GlobalTransaction | undefined {
  const numbers = pattern.exec(name)?.slice(1).map(Number);
  if (numbers === undefined || numbers.some((number) => number > highest)) return undefined;
  const [compId = 0, seconds = 0, local = 0] = numbers;
  return { compId, number: (BigInt(seconds) << 32n) + BigInt(local) };
}
