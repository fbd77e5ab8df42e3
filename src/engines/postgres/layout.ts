import { join } from 'node:path';
import type { PostgresInstanceSpec } from '../../core/agent-protocol.ts';
import type { InstanceId } from '../../core/ids.ts';
import { directoriesOutside, socketDirectory } from '../socket-path.ts';

/** Where a compute node keeps what. */
export interface PostgresLayout {
  /** Every directory that the instance owns. */
  readonly directories: readonly [string, ...string[]];
  readonly data: string;
  readonly configuration: string;
  readonly hostAccess: string;
  readonly identities: string;
  readonly log: string;
  readonly sockets: string;
}

export function postgresLayout(id: InstanceId, spec: PostgresInstanceSpec): PostgresLayout {
  const home = join(spec.datadir, id);
  const sockets = socketDirectory(home);
  return {
    directories: [home, ...directoriesOutside(home, sockets)],
    data: join(home, 'data'),
    configuration: join(home, 'postgresql.conf'),
    hostAccess: join(home, 'pg_hba.conf'),
    identities: join(home, 'pg_ident.conf'),
    log: join(home, 'postgres.log'),
    sockets,
  };
}
