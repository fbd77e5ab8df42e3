import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { KlusterError } from '../core/errors/kluster-error.ts';

/** The host of `host:port` or `[v6]:port`, lower case, without brackets. */
function hostName(authority: string): string {
  const [, bracketed, plain] =
    /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(authority.trim().toLowerCase()) ?? [];
  return bracketed ?? plain ?? authority;
}

interface GuardOptions {
  /** Names under which the server may be addressed. */
  readonly names: readonly string[];
  /** Check the Host header: needed when the server asks for no credentials. */
  readonly checkHost: boolean;
}

/**
 * Keeps web pages away from a server on loopback. A page of another origin is told by its Origin header. A page whose
 * DNS name was pointed at 127.0.0.1 after loading ("DNS rebinding") counts as the same origin for the browser, and is
 * told by a Host header that is neither an address, nor localhost, nor a configured name.
 */
export function originGuard(options: GuardOptions): (headers: IncomingHttpHeaders) => void {
  const names = new Set(['localhost', ...options.names.map((name) => name.toLowerCase())]);
  return ({ host, origin }) => {
    if (options.checkHost && host !== undefined) {
      const name = hostName(host);
      if (isIP(name) === 0 && !names.has(name)) {
        throw new KlusterError(
          'forbidden_origin',
          `The host name ${JSON.stringify(name)} is not a name of this server; if it is, add it to the names in the configuration`,
        );
      }
    }
    if (origin === undefined) return;
    const allowed = URL.canParse(origin) ? new URL(origin) : undefined;
    const same = allowed !== undefined && allowed.host === (host ?? '').toLowerCase();
    const named =
      allowed !== undefined && options.names.some((name) => name.toLowerCase() === allowed.hostname);
    if (!same && !named) {
      throw new KlusterError(
        'forbidden_origin',
        `A page of ${JSON.stringify(origin.slice(0, 200))} may not use this server`,
      );
    }
  };
}
