import { join } from 'node:path';
import type { MysqlInstanceSpec } from '../../core/agent-protocol.ts';
import type { InstanceId } from '../../core/ids.ts';
import { directoriesOutside, socketDirectory } from '../socket-path.ts';

/** Where a storage node keeps what. The three base directories of the machine may be one and the same. */
export interface MysqlLayout {
  /** Every directory that the instance owns. */
  readonly directories: readonly [string, ...string[]];
  /** mysqld's data directory; clone empties it, so nothing of ours lies in it. */
  readonly data: string;
  /** Binary and relay logs. */
  readonly binlog: string;
  /** mysqld makes `#innodb_redo` inside. */
  readonly redo: string;
  /** Sorts and binary log caches that outgrow memory. */
  readonly temporary: string;
  readonly optionFile: string;
  readonly errorLog: string;
  readonly pidFile: string;
  readonly sockets: string;
  readonly socket: string;
}

export function mysqlLayout(id: InstanceId, spec: MysqlInstanceSpec): MysqlLayout {
  const home = join(spec.datadir, id);
  const logs = join(spec.logdir, id);
  const wal = join(spec.walLogDir, id);
  const sockets = socketDirectory(home);
  const others = [...new Set([logs, wal, ...directoriesOutside(home, sockets)])].filter(
    (directory) => directory !== home,
  );
  return {
    directories: [home, ...others],
    data: join(home, 'data'),
    binlog: join(logs, 'binlog'),
    redo: join(wal, 'redo'),
    temporary: join(home, 'tmp'),
    optionFile: join(home, 'mysqld.cnf'),
    errorLog: join(logs, 'error.log'),
    pidFile: join(sockets, 'mysqld.pid'),
    sockets,
    socket: join(sockets, 'mysqld.sock'),
  };
}
