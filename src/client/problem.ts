import { errorCatalogue, type ErrorName } from '../core/errors/catalogue.ts';
import { KlusterError, type Violation } from '../core/errors/kluster-error.ts';
import { isJsonObject, type Json } from '../core/json.ts';

function isErrorName(kind: unknown): kind is ErrorName {
  return typeof kind === 'string' && Object.hasOwn(errorCatalogue, kind);
}

function violationOf(value: Json): Violation | undefined {
  if (!isJsonObject(value)) return undefined;
  const { field, rule, code, value: shown } = value;
  if (typeof field !== 'string' || typeof rule !== 'string' || typeof code !== 'number') return undefined;
  return { field, rule, code, value: typeof shown === 'string' ? shown : undefined };
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The error that the server meant with an application/problem+json; `manager_unreachable` when it is none. */
export function problemError(url: string, status: number, text: string): KlusterError {
  const problem = parsed(text);
  if (!isJsonObject(problem) || !isErrorName(problem['kind'])) {
    const said = text.slice(0, 200);
    return new KlusterError(
      'manager_unreachable',
      `${url} answers HTTP ${String(status)}, but is no manager: ${said}`,
    );
  }
  const { kind, detail, code, violations } = problem;
  return new KlusterError(kind, typeof detail === 'string' ? detail : '', {
    ...(typeof code === 'number' ? { code } : {}),
    violations: (Array.isArray(violations) ? violations : [])
      .map(violationOf)
      .filter((violation) => violation !== undefined),
  });
}
