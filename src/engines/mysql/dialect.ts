import { isAtLeast } from '../version.ts';

/** What differs between the MySQL versions that Kluster runs (8.4 and newer). */
export interface MysqlDialect {
  /** Settings that only this version has, as lines of the option file. */
  readonly options: Readonly<Record<string, string>>;
  /** Those of the dynamic privileges asked for that this version knows. */
  privileges(wanted: readonly string[]): readonly string[];
}

/** Dynamic privileges with the first version that has them. */
const privilegeSince: Readonly<Record<string, string>> = {
  CREATE_SPATIAL_REFERENCE_SYSTEM: '9.2',
};

export function mysqlDialect(version: string): MysqlDialect {
  const has = (since: string): boolean => isAtLeast(version, since);
  return {
    options: {},
    privileges: (wanted) => wanted.filter((privilege) => has(privilegeSince[privilege] ?? '8.4')),
  };
}
