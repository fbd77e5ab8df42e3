import { KlusterError } from '../../core/errors/kluster-error.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';

/** What every request to Emit carries around its parameters. */
export interface Envelope {
  readonly jobType: string;
  /** As sent; empty when absent. Only get_status uses it. */
  readonly jobId: string;
  readonly userName: string;
  readonly paras: Json | undefined;
  /** The whole request. */
  readonly request: JsonObject;
}

const jobTypeLimit = 64;
const userNameLimit = 128;

/** Clients send text fields as text, numbers or booleans; anything else counts as absent. */
function lenientText(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** `version` (or `ver`), `timestamp` and every unknown key are ignored, as real clients need. */
export function parseEnvelope(request: Json): Envelope {
  if (!isJsonObject(request)) {
    throw new KlusterError('bad_request', 'The request body must be a JSON object');
  }
  const jobType = lenientText(own(request, 'job_type')).trim();
  if (jobType === '') {
    throw new KlusterError(
      'bad_request',
      'job_type is missing: it must name what to do, e.g. "create_cluster"',
    );
  }
  if (jobType.length > jobTypeLimit) {
    throw new KlusterError('bad_request', `job_type is longer than ${String(jobTypeLimit)} characters`);
  }
  return {
    jobType,
    jobId: lenientText(own(request, 'job_id')).trim(),
    userName: checkedUserName(lenientText(own(request, 'user_name'))),
    paras: own(request, 'paras'),
    request,
  };
}

export function checkedUserName(userName: string): string {
  if (userName.length > userNameLimit) {
    throw new KlusterError('bad_request', `user_name is longer than ${String(userNameLimit)} characters`);
  }
  if (/[\0\p{Surrogate}]/u.test(userName)) {
    throw new KlusterError('bad_request', 'user_name contains characters that are no text');
  }
  return userName;
}

/** `Idempotency-Key`: 1 to 128 printable ASCII characters. */
export function idempotencyKeyOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(header)) {
    throw new KlusterError('bad_request', 'Idempotency-Key must have 1 to 128 printable ASCII characters');
  }
  return header;
}
