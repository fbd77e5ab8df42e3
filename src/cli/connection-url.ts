import { urlHost } from '../core/url-host.ts';

/** A server and an account that may administer it. */
export interface ServerAccess {
  readonly engine: 'mysql' | 'postgres';
  readonly hostaddr: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database?: string;
}

/** encodeURIComponent leaves these, which RFC 3986 reserves; some parsers take them for delimiters. */
function percentEncode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `mysql://user:password@host:port/database` or `postgres://…`, every part percent-encoded. */
export function connectionUrl(access: ServerAccess): string {
  const account = `${percentEncode(access.user)}:${percentEncode(access.password)}`;
  const database = access.database === undefined ? '' : percentEncode(access.database);
  return `${access.engine}://${account}@${urlHost(access.hostaddr)}:${String(access.port)}/${database}`;
}
