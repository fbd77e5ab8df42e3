import type Type from 'typebox';
import type { Violation } from '../errors/kluster-error.ts';
import { isJsonObject, type Json, type JsonObject } from '../json.ts';
import { metadataKeyword, type FieldCodes, type FieldMetadata } from './fields.ts';

/** The JSON Schema keywords that `fields.ts` produces. */
interface FieldSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly 'x-kluster-pattern-rule'?: string;
  readonly uniqueItems?: boolean;
  readonly maxItems?: number;
  readonly items?: FieldSchema;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly [metadataKeyword]?: FieldMetadata;
}

export type ParseResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly violations: readonly [Violation, ...Violation[]] };

const codeWithoutField = 70_005;
const shownValueLength = 60;
const hiddenValue = '********';

/** A value as it is shown in an error: its JSON, shortened. */
export function shownValue(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length <= shownValueLength ? json : `${json.slice(0, shownValueLength)}…`;
}

interface NumberForm {
  readonly name: string;
  readonly pattern: RegExp;
}

const wholeNumber: NumberForm = { name: 'whole number', pattern: /^-?\d{1,15}$/ };
const decimalNumber: NumberForm = { name: 'number', pattern: /^-?\d{1,15}(\.\d{1,9})?$/ };

function codesOf(schema: FieldSchema): FieldCodes {
  return schema[metadataKeyword]?.codes ?? { invalid: codeWithoutField };
}

class Parser {
  readonly violations: Violation[] = [];

  /** Set while a secret parameter is checked: its value must not appear in a message. */
  private secret = false;

  private report(field: string, value: unknown, rule: string, code: number): undefined {
    const shown = this.secret ? hiddenValue : shownValue(value);
    this.violations.push({ field, value: value === undefined ? undefined : shown, rule, code });
    return undefined;
  }

  parse(schema: FieldSchema, value: Json, field: string): Json | undefined {
    const outer = this.secret;
    this.secret = outer || (schema[metadataKeyword]?.secret ?? false);
    try {
      return this.parseOpenly(schema, value, field);
    } finally {
      this.secret = outer;
    }
  }

  private parseOpenly(schema: FieldSchema, value: Json, field: string): Json | undefined {
    const codes = codesOf(schema);
    if (schema.enum !== undefined) return this.parseChoice(schema.enum, value, field, codes);
    switch (schema.type ?? 'none') {
      case 'integer':
        return this.parseNumber(wholeNumber, schema, value, field);
      case 'number':
        return this.parseNumber(decimalNumber, schema, value, field);
      case 'string':
        return this.parseText(schema, value, field, codes);
      case 'boolean':
        return this.parseFlag(value, field, codes);
      case 'array':
        return this.parseList(schema, value, field, codes);
      case 'object':
        return this.parseObject(schema, value, field, codes);
      default:
        throw new TypeError(`parameter schema of ${field} has no type that parseParameters knows`);
    }
  }

  private parseChoice(words: readonly string[], value: Json, field: string, codes: FieldCodes) {
    const word = typeof value === 'string' ? value.trim().toLowerCase() : undefined;
    const found = words.find((candidate) => candidate.toLowerCase() === word);
    return found ?? this.report(field, value, `must be one of ${words.join(', ')}`, codes.invalid);
  }

  private parseNumber(form: NumberForm, schema: FieldSchema, value: Json, field: string) {
    const codes = codesOf(schema);
    const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = schema;
    const rule = `must be a ${form.name} from ${String(minimum)} to ${String(maximum)}`;
    const digits = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
    if (!form.pattern.test(digits)) return this.report(field, value, rule, codes.invalid);
    const number = Number(digits);
    if (number < minimum || number > maximum) {
      return this.report(field, value, rule, codes.range ?? codes.invalid);
    }
    return number;
  }

  private parseText(schema: FieldSchema, value: Json, field: string, codes: FieldCodes) {
    const content = typeof value === 'number' ? String(value) : value;
    if (typeof content !== 'string') return this.report(field, value, 'must be text', codes.invalid);
    // Neither engine stores them, file names cannot have them, and no one types them.
    if (/[\0\p{Surrogate}]/u.test(content)) {
      return this.report(field, value, 'must not contain NUL or half of a surrogate pair', codes.invalid);
    }
    const { minLength = 0, maxLength = Number.MAX_SAFE_INTEGER, pattern } = schema;
    if (content.length < minLength || content.length > maxLength) {
      const rule = `must have ${String(minLength)} to ${String(maxLength)} characters`;
      return this.report(field, value, rule, codes.range ?? codes.invalid);
    }
    if (pattern !== undefined && !new RegExp(pattern, 'u').test(content)) {
      return this.report(
        field,
        value,
        schema['x-kluster-pattern-rule'] ?? `must match ${pattern}`,
        codes.invalid,
      );
    }
    return content;
  }

  private parseFlag(value: Json, field: string, codes: FieldCodes) {
    const word = isScalar(value) ? String(value).trim().toLowerCase() : '';
    if (['1', 'true', 'on', 'yes'].includes(word)) return true;
    if (['0', 'false', 'off', 'no'].includes(word)) return false;
    return this.report(field, value, 'must be 0 or 1', codes.invalid);
  }

  private parseList(schema: FieldSchema, value: Json, field: string, codes: FieldCodes) {
    const items = typeof value === 'string' ? splitText(value) : value;
    if (!Array.isArray(items)) return this.report(field, value, 'must be a JSON array', codes.invalid);
    if (items.length > (schema.maxItems ?? Number.MAX_SAFE_INTEGER)) {
      return this.report(field, value, `must have at most ${String(schema.maxItems)} items`, codes.invalid);
    }
    const { items: itemSchema } = schema;
    if (itemSchema === undefined) throw new TypeError(`parameter schema of ${field} has no items`);
    const parsed = items.map((item: Json, index) =>
      this.parse(itemSchema, item, `${field}[${String(index)}]`),
    );
    const valid = parsed.filter((item) => item !== undefined);
    if (schema.uniqueItems === true) this.reportDuplicates(valid, field, codes);
    return valid;
  }

  private reportDuplicates(items: readonly Json[], field: string, codes: FieldCodes): void {
    for (const [index, item] of items.entries()) {
      const first = items.indexOf(item);
      if (first < index) {
        const rule = `must not repeat ${field}[${String(first)}]`;
        this.report(`${field}[${String(index)}]`, item, rule, codes.invalid);
      }
    }
  }

  parseObject(schema: FieldSchema, value: Json, field: string, codes: FieldCodes): JsonObject | undefined {
    if (!isJsonObject(value)) return this.report(field, value, 'must be a JSON object', codes.invalid);
    const required = new Set(schema.required);
    const parsed: Record<string, Json> = {};
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      const path = `${field}.${key}`;
      const raw = Object.hasOwn(value, key) ? value[key] : undefined;
      if (raw === undefined || raw === null || (raw === '' && !required.has(key))) {
        if (required.has(key)) this.reportMissing(property, path);
        continue;
      }
      const result = this.parse(property, raw, path);
      if (result !== undefined) parsed[key] = result;
    }
    return parsed;
  }

  private reportMissing(schema: FieldSchema, path: string): void {
    const codes = schema[metadataKeyword]?.codes;
    this.report(
      path,
      undefined,
      'this parameter is required',
      codes?.missing ?? codes?.invalid ?? codeWithoutField,
    );
  }
}

function isScalar(value: Json): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function splitText(value: string): readonly string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** `paras` in any of the forms that clients send it: an object, an empty array, nothing, or either as JSON text. */
export function normaliseParas(paras: Json | undefined): Json {
  if (paras === undefined || paras === null || paras === '') return {};
  if (Array.isArray(paras) && paras.length === 0) return {};
  if (typeof paras !== 'string') return paras;
  try {
    return normaliseParas(JSON.parse(paras) as Json);
  } catch (error) {
    if (error instanceof SyntaxError) return paras;
    throw error;
  }
}

/**
 * Checks `paras` against the schema of a job type. Unknown keys are ignored; an empty optional text counts as
 * absent; every violation is reported, not only the first.
 */
export function parseParameters<Schema extends Type.TObject>(
  schema: Schema,
  paras: Json | undefined,
): ParseResult<Type.Static<Schema>> {
  const parser = new Parser();
  const codes = (schema as FieldSchema)[metadataKeyword]?.codes ?? { invalid: codeWithoutField };
  const value = parser.parseObject(schema, normaliseParas(paras), 'paras', codes);
  const [first, ...rest] = parser.violations;
  if (first !== undefined) return { ok: false, violations: [first, ...rest] };
  return { ok: true, value: value as Type.Static<Schema> };
}

/** A copy of `paras` with the values of secret parameters replaced, fit for records and logs. */
export function redactSecrets(schema: Type.TObject, paras: Json | undefined): Json {
  const normalised = normaliseParas(paras);
  if (!isJsonObject(normalised)) return {};
  const properties = (schema as FieldSchema).properties ?? {};
  return Object.fromEntries(
    Object.entries(normalised).map(([key, value]) => [
      key,
      properties[key]?.[metadataKeyword]?.secret === true ? hiddenValue : value,
    ]),
  );
}
