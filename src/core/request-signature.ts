import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { epochHeader } from './agent-protocol.ts';
import { requestSignature } from './seal.ts';

/**
 * Signature of requests between manager and agent: an HMAC with the installation's secret over everything that
 * decides what the request does and where. The agent's address is part of it, so that a request which was heard on
 * the network cannot be repeated at another agent; time and nonce, so that it cannot be repeated at the same one.
 */
export const timestampHeader = 'x-kluster-timestamp';
export const nonceHeader = 'x-kluster-nonce';
const signatureHeader = 'x-kluster-signature';

/**
 * In the refusal of a request that fits but was signed by another clock: what time it is at the agent, and the proof that
 * the agent says so to this very request. The caller then signs by the agent's clock; whoever sets a clock does not stop
 * the manager.
 */
export const clockHeader = 'x-kluster-clock';
const clockProofHeader = 'x-kluster-clock-proof';

/** Clocks of two machines may differ by this much. A nonce must be remembered for twice as long. */
export const replayWindowMs = 60_000;

export interface SignedRequest {
  readonly method: string;
  /** Path with its query. */
  readonly path: string;
  /** `address:port` of the agent. */
  readonly target: string;
  /** Bytes as sent; empty when there is no body. */
  readonly body: string | Uint8Array;
}

interface SignedFields {
  readonly timestamp: string;
  readonly nonce: string;
  readonly epoch: string;
}

function signatureOf(secret: string, request: SignedRequest, fields: SignedFields): string {
  const bodyHash = createHash('sha256').update(request.body).digest('hex');
  const lines = [
    'kluster-1',
    request.method,
    request.path,
    request.target,
    fields.timestamp,
    fields.nonce,
    fields.epoch,
    bodyHash,
  ];
  return requestSignature(secret, lines.join('\n'));
}

/** The headers that make a request acceptable to the agent for `replayWindowMs`. `now`: by the agent's clock, if known. */
export function signRequest(
  secret: string,
  request: SignedRequest,
  epoch: number,
  now: number = Date.now(),
): Record<string, string> {
  const fields = {
    timestamp: String(Math.round(now)),
    nonce: randomBytes(12).toString('base64url'),
    epoch: String(epoch),
  };
  return {
    [epochHeader]: fields.epoch,
    [timestampHeader]: fields.timestamp,
    [nonceHeader]: fields.nonce,
    [signatureHeader]: signatureOf(secret, request, fields),
  };
}

export type Verification =
  | { readonly ok: true; readonly epoch: number; readonly nonce: string; readonly expiresAt: number }
  | {
      readonly ok: false;
      readonly reason: string;
      /** Nothing but the time is wrong: this tells the caller what it should be. */
      readonly clock?: Readonly<Record<string, string>>;
    };

const refuse = (reason: string): Verification => ({ ok: false, reason });

const clockProof = (secret: string, nonce: string, time: string): string =>
  requestSignature(secret, ['kluster-clock-1', nonce, time].join('\n'));

/** What time it is at the agent (milliseconds since 1970), as it answered the request with this nonce; null: it does not say. */
export function clockOf(secret: string, nonce: string, headers: Headers): number | null {
  const time = headers.get(clockHeader) ?? '';
  const expected = Buffer.from(clockProof(secret, nonce, time));
  const actual = Buffer.from(headers.get(clockProofHeader) ?? '');
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) return null;
  return Number(time);
}

function headerText(headers: Readonly<Record<string, unknown>>, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

/**
 * Checks everything but whether the nonce was used before, which needs memory: the caller keeps every accepted nonce
 * until `expiresAt` (milliseconds since 1970).
 */
export function verifyRequest(
  secret: string,
  request: SignedRequest,
  headers: Readonly<Record<string, unknown>>,
  now: number,
): Verification {
  const timestamp = headerText(headers, timestampHeader);
  const nonce = headerText(headers, nonceHeader);
  const epoch = headerText(headers, epochHeader);
  const given = headerText(headers, signatureHeader);
  if (given === '') return refuse(`the header ${signatureHeader} is missing`);
  if (!/^\d{1,15}$/.test(timestamp))
    return refuse(`the header ${timestampHeader} is missing or not a number`);
  if (!/^[\w-]{16,64}$/.test(nonce)) return refuse(`the header ${nonceHeader} is missing or malformed`);
  if (!/^[1-9]\d{0,14}$/.test(epoch)) return refuse(`the header ${epochHeader} is missing or malformed`);
  const expected = Buffer.from(signatureOf(secret, request, { timestamp, nonce, epoch }));
  const actual = Buffer.from(given);
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) {
    return refuse('the signature does not fit: the secrets differ, or the request was altered');
  }
  const skew = Number(timestamp) - now;
  if (Math.abs(skew) > replayWindowMs) {
    const time = String(now);
    return {
      ok: false,
      reason: `it was signed ${String(Math.round(skew / 1000))} s away from this machine's clock; set the clocks`,
      clock: { [clockHeader]: time, [clockProofHeader]: clockProof(secret, nonce, time) },
    };
  }
  return { ok: true, epoch: Number(epoch), nonce, expiresAt: Number(timestamp) + replayWindowMs };
}
