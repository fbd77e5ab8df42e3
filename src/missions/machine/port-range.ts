import { parsePortRange, portRangeText } from '../../catalog/machines.ts';
import type { Violation } from '../../core/errors/kluster-error.ts';
import type { Machine, MachineType, PortRange } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';

/** What a machine gets when the request names no range. */
export const defaultPortRanges: Readonly<Record<MachineType, PortRange>> = {
  storage: { first: 57_000, last: 58_000 },
  computer: { first: 47_000, last: 48_000 },
};

const lowest = 1024;
const highest = 65_535;

/** The range of a request; its text has passed the schema's pattern, which permits blanks. */
export function requestedRange(text: string | undefined, type: MachineType): PortRange {
  return text === undefined ? defaultPortRanges[type] : parsePortRange(text.replaceAll(/\s/g, ''));
}

function violation(range: PortRange, rule: string): Violation {
  return { field: 'paras.port_range', value: shownValue(portRangeText(range)), rule, code: 70_005 };
}

/**
 * What is wrong with a range for a machine of this type, given the host's machines: nodes of both kinds on one host
 * would take each other's ports.
 */
export function portRangeViolations(
  range: PortRange,
  type: MachineType,
  machines: readonly Machine[],
): readonly Violation[] {
  if (range.first < lowest || range.last > highest || range.first >= range.last) {
    return [
      violation(range, `must lie within ${String(lowest)}-${String(highest)}, the first port below the last`),
    ];
  }
  return machines
    .filter((machine) => machine.machineType !== type)
    .filter(({ portRange: other }) => range.first <= other.last && other.first <= range.last)
    .map((other) =>
      violation(
        range,
        `must not overlap ${portRangeText(other.portRange)}, the ports of the same host as ${other.machineType} machine`,
      ),
    );
}
