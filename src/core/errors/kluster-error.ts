import { errorCatalogue, type ErrorName } from './catalogue.ts';

/** One broken rule of one request field. */
export interface Violation {
  /** Path of the field, e.g. `paras.shards` or `paras.storage_iplists[1]`. */
  readonly field: string;
  /** The offending value as the client sent it, shortened; `undefined` when the field is missing. */
  readonly value: string | undefined;
  /** The rule, in words that tell what would be right. */
  readonly rule: string;
  /** The wire code of this rule (70000 + n). */
  readonly code: number;
}

interface KlusterErrorOptions {
  readonly cause?: unknown;
  readonly violations?: readonly Violation[];
  /** Overrides the wire code of the catalogue entry: the API numbers many rules singly. */
  readonly code?: number;
}

/** Every error that reaches a user: a catalogue entry plus what, where and why. */
export class KlusterError extends Error {
  override readonly name = 'KlusterError';
  readonly kind: ErrorName;
  readonly code: number;
  readonly violations: readonly Violation[];

  constructor(kind: ErrorName, message: string, options: KlusterErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = options.code ?? errorCatalogue[kind].code;
    this.violations = options.violations ?? [];
  }

  get status(): number {
    return errorCatalogue[this.kind].status;
  }

  get hint(): string {
    return errorCatalogue[this.kind].hint;
  }
}

function describeViolation(violation: Violation): string {
  const got = violation.value === undefined ? 'is missing' : `is ${violation.value}`;
  return `${violation.field} ${got}: ${violation.rule}`;
}

/** All violations of one request as one error; its wire code is that of the first violation. */
export function violationsError(violations: readonly [Violation, ...Violation[]]): KlusterError {
  return new KlusterError('invalid_parameters', violations.map(describeViolation).join('; '), {
    violations,
    code: violations[0].code,
  });
}

/** The text of anything thrown, with the chain of causes; a cause that the message itself quotes is not repeated. */
export function errorText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const text = thrown.message === '' ? thrown.name : thrown.message;
  if (thrown.cause === undefined) return text;
  const cause = errorText(thrown.cause);
  return text.includes(cause) ? text : `${text} (${cause})`;
}

/** Anything thrown as a KlusterError; what is not one yet becomes `internal`. */
export function toKlusterError(thrown: unknown): KlusterError {
  return thrown instanceof KlusterError
    ? thrown
    : new KlusterError('internal', errorText(thrown), { cause: thrown });
}
