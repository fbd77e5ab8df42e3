import { KlusterError } from '../core/errors/kluster-error.ts';
import type { EngineSqlError } from '../engines/sql-error.ts';

/** The metadata database refused a statement or cannot be reached. The message never holds a parameter. */
export class MetadataError extends KlusterError {
  /** MySQL's error number, e.g. 1062 for a duplicate key; undefined when no server answered. */
  readonly errno: number | undefined;
  /** The connection failed or broke: trying again may help. */
  readonly connectionLost: boolean;

  constructor(
    message: string,
    fault: { readonly errno?: number | undefined; readonly connectionLost: boolean },
  ) {
    super('metadata', message);
    this.errno = fault.errno;
    this.connectionLost = fault.connectionLost;
  }
}

export function metadataError(error: EngineSqlError): MetadataError {
  return new MetadataError(`metadata database: ${error.message}`, error);
}

/** ER_DUP_ENTRY: a unique key already has the value. */
export function isDuplicate(error: unknown): error is MetadataError {
  return error instanceof MetadataError && error.errno === 1062;
}

/** ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK: the transaction may simply be run again. */
export function isLockConflict(error: unknown): error is MetadataError {
  return error instanceof MetadataError && (error.errno === 1205 || error.errno === 1213);
}
