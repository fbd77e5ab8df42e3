import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { KlusterError } from '../core/errors/kluster-error.ts';

/** One credential of one person or program; exactly one of `token` and `sha256` (hexadecimal) is given. */
export interface TokenConfig {
  /** Recorded as the user of jobs that name none. */
  readonly name: string;
  readonly token?: string;
  readonly sha256?: string;
}

export interface AccessConfig {
  /** Address that the server listens on. */
  readonly bind: string;
  /** `none`, written explicitly, opens a server that others can reach to all of them. */
  readonly auth?: 'none';
  readonly tokens?: readonly TokenConfig[];
  /** DNS names under which browsers may use this server, besides localhost and IP addresses. */
  readonly names?: readonly string[];
}

const minimumTokenLength = 16;

function isLoopback(address: string): boolean {
  if (address === 'localhost' || address === '::1') return true;
  return isIP(address) === 4 && address.startsWith('127.');
}

function tokenFault(token: TokenConfig, index: number): string | undefined {
  const field = `tokens[${String(index)}]`;
  if (token.name === '') return `${field}.name is empty: every token names its user`;
  if ((token.token === undefined) === (token.sha256 === undefined)) {
    return `${field} needs either token or sha256, and not both`;
  }
  if (token.token !== undefined && token.token.length < minimumTokenLength) {
    return `${field}.token is shorter than ${String(minimumTokenLength)} characters and can be guessed`;
  }
  if (token.sha256 !== undefined && !/^[0-9a-fA-F]{64}$/.test(token.sha256)) {
    return `${field}.sha256 must be the 64 hexadecimal digits of a SHA-256`;
  }
  return undefined;
}

/** Why a server with this configuration must not start; undefined when it may. */
export function startRefusal(config: AccessConfig): string | undefined {
  const tokens = config.tokens ?? [];
  for (const [index, token] of tokens.entries()) {
    const fault = tokenFault(token, index);
    if (fault !== undefined) return fault;
  }
  if (config.auth === 'none' && tokens.length > 0) {
    return 'auth is "none" but tokens are given: remove one of the two';
  }
  if (tokens.length === 0 && config.auth !== 'none' && !isLoopback(config.bind)) {
    return (
      `the server would listen on ${config.bind}, where others can reach it, without authentication: ` +
      'give tokens, bind to a loopback address, or write auth: "none" if everybody may control the clusters'
    );
  }
  return undefined;
}

/** Throws `configuration` when the server must not start like this. */
export function checkAccess(config: AccessConfig): void {
  const refusal = startRefusal(config);
  if (refusal !== undefined) throw new KlusterError('configuration', `Will not start: ${refusal}`);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

export interface AccessControl {
  /** False: everybody who can reach the server may use it. */
  readonly required: boolean;
  /** The name of the token in an Authorization header; throws `unauthorized`. Empty when none is required. */
  userOf(authorization: string | undefined): string;
}

export function accessControl(config: AccessConfig): AccessControl {
  const known = (config.tokens ?? []).map(({ name, token, sha256: digest }) => ({
    name,
    digest: token === undefined ? Buffer.from(digest ?? '', 'hex') : sha256(token),
  }));
  if (known.length === 0) return { required: false, userOf: () => '' };
  return {
    required: true,
    userOf(authorization) {
      const [, presented] = /^Bearer +([^\s]+) *$/i.exec(authorization ?? '') ?? [];
      if (presented === undefined)
        throw new KlusterError('unauthorized', 'The request carries no bearer token');
      // Digests have one length, and every known one is compared: the time tells nothing about any token.
      const digest = sha256(presented);
      let match: (typeof known)[number] | undefined;
      for (const candidate of known) {
        if (timingSafeEqual(candidate.digest, digest)) match = candidate;
      }
      if (match === undefined) throw new KlusterError('unauthorized', 'The bearer token is not known');
      return match.name;
    },
  };
}
