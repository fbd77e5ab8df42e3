import { isUtf8 } from 'node:buffer';
import { KlusterError } from '../core/errors/kluster-error.ts';
import type { Json } from '../core/json.ts';

/** Bytes of a request body. */
export const bodyLimit = 1024 * 1024;
/** Levels of arrays and objects; real requests have five. Recursive code over a body is safe below it. */
const depthLimit = 64;

const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON text nests deeper than the limit; text that is not JSON may give either answer. */
export function nestsDeeperThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  let depth = 0;
  let inText = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charCodeAt(index);
    if (inText) {
      if (character === backslash) index += 1;
      else if (character === quote) inText = false;
    } else if (character === quote) {
      inText = true;
    } else if (character === 0x5b || character === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (character === 0x5d || character === 0x7d) {
      depth -= 1;
    }
  }
  return false;
}

function syntaxProblem(error: unknown): string {
  // The engine's message quotes the text around the fault, which may be a password; only the place is passed on.
  const [place] =
    error instanceof Error ? (/at position \d+|end of JSON input/.exec(error.message) ?? []) : [];
  return place === undefined ? '' : ` (${place})`;
}

/** The JSON value of a request body. Throws `bad_request` naming what is wrong with it. */
export function parseJsonBody(body: Buffer): Json {
  if (body.length === 0) throw new KlusterError('bad_request', 'The request body is empty');
  if (!isUtf8(body)) throw new KlusterError('bad_request', 'The request body is not UTF-8 text');
  const decoded = body.toString('utf8');
  const text = decoded.startsWith('\uFEFF') ? decoded.slice(1) : decoded;
  if (nestsDeeperThan(text, depthLimit)) {
    throw new KlusterError('bad_request', `The request body nests deeper than ${String(depthLimit)} levels`);
  }
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new KlusterError('bad_request', `The request body is not JSON${syntaxProblem(error)}`);
  }
}
