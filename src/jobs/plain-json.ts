import { KlusterError } from '../core/errors/kluster-error.ts';
import { isJsonObject, type Json } from '../core/json.ts';

/** Far beyond any sensible result; ends the walk through a value that contains itself. */
const maximumDepth = 64;
/** Characters of JSON text. The metadata server takes 64 MiB in one packet. */
const maximumLength = 16 * 1024 * 1024;

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an object of class ${value.constructor.name}`;
  return typeof value === 'number' ? String(value) : typeof value;
}

function checkPlain(value: unknown, place: string, depth: number): void {
  if (depth > maximumDepth) throw new KlusterError('internal', `${place} is nested too deeply`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) checkPlain(item, `${place}[${String(index)}]`, depth + 1);
    return;
  }
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  if (!isJsonObject(value) || (prototype !== Object.prototype && prototype !== null)) {
    throw new KlusterError('internal', `${place} is ${describe(value)}, which JSON cannot carry`);
  }
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) checkPlain(member, `${place}.${key}`, depth + 1);
  }
}

/**
 * The value exactly as it will be read back from the database. Throws an `internal` error naming the place of what
 * JSON cannot carry: a mission that returns such a thing would work until the first restart.
 */
export function plainJson(value: unknown, place: string): Json {
  checkPlain(value, place, 0);
  const text = JSON.stringify(value);
  if (text.length > maximumLength) {
    throw new KlusterError(
      'internal',
      `${place} has ${String(text.length)} characters of JSON; ${String(maximumLength)} is the most that is stored`,
    );
  }
  return JSON.parse(text) as Json;
}
