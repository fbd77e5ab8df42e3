import type { Violation } from '../../core/errors/kluster-error.ts';
import type { MachineType, PortRange } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';

/** What a machine gets when the request names no range. */
export const defaultPortRanges: Readonly<Record<MachineType, PortRange>> = {
  storage: { first: 57_000, last: 58_000 },
  computer: { first: 47_000, last: 48_000 },
};

const lowest = 1024;
const highest = 65_535;

export const portRangeText = (range: PortRange): string => `${String(range.first)}-${String(range.last)}`;

/** `57000-58000`; the text has passed the schema's pattern. */
export function parsePortRange(text: string): PortRange {
  const [first, last] = text.split('-').map(Number);
  if (first === undefined || last === undefined) throw new TypeError(`not a port range: ${text}`);
  return { first, last };
}

function violation(range: PortRange, rule: string): Violation {
  return { field: 'paras.port_range', value: shownValue(portRangeText(range)), rule, code: 70_005 };
}

/** What is wrong with a range by itself. */
export function portRangeViolations(range: PortRange): readonly Violation[] {
  if (range.first >= lowest && range.last <= highest && range.first < range.last) return [];
  return [
    violation(range, `must lie within ${String(lowest)}-${String(highest)}, the first port below the last`),
  ];
}

/** Nodes of both kinds on one host would take each other's ports. */
export function overlapViolations(
  range: PortRange,
  other: { readonly machineType: MachineType; readonly portRange: PortRange },
): readonly Violation[] {
  const overlaps = range.first <= other.portRange.last && other.portRange.first <= range.last;
  if (!overlaps) return [];
  const rule = `must not overlap ${portRangeText(other.portRange)}, the ports of the same host as ${other.machineType} machine`;
  return [violation(range, rule)];
}
