import { isAbsolute } from 'node:path';
import type { Violation } from '../../core/errors/kluster-error.ts';
import type { MachineType } from '../../core/model.ts';

/** `a, b` → `['a', 'b']`, without trailing slashes and repetitions. */
export function pathList(text: string | undefined): readonly string[] {
  const paths = (text ?? '')
    .split(',')
    .map((path) => path.trim().replace(/(?<=.)\/+$/, ''))
    .filter((path) => isAbsolute(path));
  return [...new Set(paths)];
}

/** Digits, or 0 for "as the agent reports it". */
export function measuredNumber(text: string | undefined): number {
  return text === undefined || text === '' ? 0 : Number(text);
}

/** The directory parameters that a machine of each type must have, and the wire code when one is missing. */
const requiredDirectories = {
  storage: [
    ['datadir', 70_054],
    ['logdir', 70_055],
    ['wal_log_dir', 70_056],
  ],
  computer: [['comp_datadir', 70_061]],
} as const;

interface DirectoryParas {
  readonly datadir?: string | undefined;
  readonly logdir?: string | undefined;
  readonly wal_log_dir?: string | undefined;
  readonly comp_datadir?: string | undefined;
}

export function missingDirectories(type: MachineType, paras: DirectoryParas): readonly Violation[] {
  return requiredDirectories[type]
    .filter(([field]) => pathList(paras[field]).length === 0)
    .map(([field, code]) => ({
      field: `paras.${field}`,
      value: undefined,
      rule: `this parameter is required for a ${type} machine`,
      code,
    }));
}
