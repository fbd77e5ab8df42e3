import Type from 'typebox';

/**
 * Constructors for the parameters of job types. Each gives a TypeBox schema (so types, OpenAPI and the command
 * line derive from it) that carries, under `x-kluster`, the wire codes of its rules. `parseParameters` is lenient
 * about representation only: numbers and booleans may come as text, text may come as a number.
 */
export interface FieldCodes {
  /** Wire code (70000 + n) when the field is missing; defaults to `invalid`. */
  readonly missing?: number;
  /** Wire code when the value is not of the right kind. */
  readonly invalid: number;
  /** Wire code when the value is of the right kind but out of range; defaults to `invalid`. */
  readonly range?: number;
}

export interface FieldOptions {
  readonly description: string;
  readonly codes: FieldCodes;
  /** Shown in documentation and help; also a value that passes. */
  readonly example?: string | number | boolean;
  /** Never stored, logged or returned in the clear. */
  readonly secret?: boolean;
}

/** The vendor keyword of a schema made here. */
export interface FieldMetadata {
  readonly codes: FieldCodes;
  readonly secret: boolean;
}

export const metadataKeyword = 'x-kluster';

function annotations(options: FieldOptions): Record<string, unknown> {
  const metadata: FieldMetadata = { codes: options.codes, secret: options.secret ?? false };
  return {
    description: options.description,
    [metadataKeyword]: metadata,
    ...(options.example === undefined ? {} : { examples: [options.example] }),
  };
}

/** A whole number; on the wire a number or its decimal digits. */
export function integer(
  options: FieldOptions & { readonly minimum: number; readonly maximum: number },
): Type.TInteger {
  return Type.Integer({ ...annotations(options), minimum: options.minimum, maximum: options.maximum });
}

/** Ids are what MySQL's unsigned integers hold. */
export function identifier(options: FieldOptions): Type.TInteger {
  return integer({ example: '1', ...options, minimum: 1, maximum: 4_294_967_295 });
}

/** How many of something are to be made at once. */
export function count(options: FieldOptions): Type.TInteger {
  return integer({ ...options, minimum: 1, maximum: 256 });
}

/** A number that may have decimals; on the wire a number or its decimal digits. */
export function decimal(
  options: FieldOptions & { readonly minimum: number; readonly maximum: number },
): Type.TNumber {
  return Type.Number({ ...annotations(options), minimum: options.minimum, maximum: options.maximum });
}

/** Free text; on the wire a string or a number. */
export function text(
  options: FieldOptions & {
    readonly minLength?: number;
    readonly maxLength: number;
    readonly pattern?: string;
    /** The pattern in words; required with `pattern`. */
    readonly patternRule?: string;
  },
): Type.TString {
  const { minLength = 1, maxLength, pattern, patternRule } = options;
  return Type.String({
    ...annotations(options),
    minLength,
    maxLength,
    ...(pattern === undefined ? {} : { pattern, 'x-kluster-pattern-rule': patternRule }),
  });
}

/** Yes or no; on the wire "1"/"0", 1/0, true/false, "on"/"off". */
export function flag(options: FieldOptions): Type.TBoolean {
  return Type.Boolean(annotations(options));
}

/** One of several words, compared without regard to case. */
export function choice<const Word extends string>(
  words: readonly Word[],
  options: FieldOptions,
): Type.TUnsafe<Word> {
  return Type.Unsafe<Word>({ ...annotations(options), type: 'string', enum: [...words] });
}

/** An IPv4 or IPv6 address or a host name, as registered in the catalog. */
export function hostAddress(options: FieldOptions): Type.TString {
  return text({
    ...options,
    maxLength: 255,
    pattern: '^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$',
    patternRule: 'must be an IP address or a host name',
  });
}

/** A TCP port. */
export function port(options: FieldOptions): Type.TInteger {
  return integer({ ...options, minimum: 1, maximum: 65_535 });
}

/** A list of host addresses without duplicates; on the wire a JSON array, or text separated by commas. */
export function addressList(options: FieldOptions): Type.TArray<Type.TString> {
  return Type.Array(hostAddress(options), {
    ...annotations(options),
    uniqueItems: true,
    maxItems: 4096,
  });
}
