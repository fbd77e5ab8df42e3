import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorCatalogue } from '../../core/errors/catalogue.ts';
import { KlusterError, toKlusterError, type Violation } from '../../core/errors/kluster-error.ts';
import type { ProblemJson } from '../../core/rest-types.ts';
import { bodyLimit } from '../json-body.ts';
import { logFailure } from '../request-log.ts';

interface SchemaFault {
  readonly instancePath: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface FrameworkError {
  readonly code?: string;
  readonly statusCode?: number;
  readonly message: string;
  readonly validation?: readonly SchemaFault[];
  readonly validationContext?: string;
}

function violationOf(fault: SchemaFault, where: string): Violation {
  const { missingProperty } = fault.params;
  const path = fault.instancePath.replaceAll('/', '.');
  return {
    field: `${where}${path}${typeof missingProperty === 'string' ? `.${missingProperty}` : ''}`,
    value: undefined,
    rule: fault.message ?? 'is not valid',
    code: errorCatalogue.bad_request.code,
  };
}

/** Fastify's own errors in the words of the catalogue. */
function fromFramework(error: FrameworkError): KlusterError | undefined {
  const violations = (error.validation ?? []).map((fault) =>
    violationOf(fault, error.validationContext ?? 'request'),
  );
  if (violations.length > 0) {
    const message = violations.map(({ field, rule }) => `${field} ${rule}`).join('; ');
    return new KlusterError('bad_request', message, { violations });
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new KlusterError('body_too_large', `The request body is larger than ${String(bodyLimit)} bytes`);
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new KlusterError('bad_request', error.message);
  }
  return undefined;
}

export function restError(thrown: unknown): KlusterError {
  if (thrown instanceof KlusterError || !(thrown instanceof Error)) return toKlusterError(thrown);
  return fromFramework(thrown) ?? toKlusterError(thrown);
}

function problemOf(error: KlusterError, requestId: string): ProblemJson {
  return {
    type: `urn:kluster:error:${error.kind}`,
    title: errorCatalogue[error.kind].meaning,
    status: error.status,
    detail: error.message,
    kind: error.kind,
    code: error.code,
    violations: error.violations.map(({ field, value, rule, code }) => ({
      field,
      ...(value === undefined ? {} : { value }),
      rule,
      code,
    })),
    hint: error.hint,
    instance: requestId,
  };
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = restError(thrown);
  logFailure(request, error);
  if (error.kind === 'unauthorized') reply.header('www-authenticate', 'Bearer realm="kluster"');
  return reply
    .code(error.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(problemOf(error, request.id));
}
