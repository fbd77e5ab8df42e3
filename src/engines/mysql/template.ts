import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineUser, MysqlInstallation } from '../installation.ts';
import { runProgram } from '../run-program.ts';
import type { Template } from '../template.ts';

/** Counts up when the making changes, so that old templates are not used any more. */
const revision = 1;

/** mysqld keeps its redo log here, below `innodb_log_group_home_dir`. */
export const redoDirectory = '#innodb_redo';

/**
 * An initialised data directory: system tables, an unlocked root that only the local socket reaches, and TLS
 * certificates. The certificates are made here, once per machine, because drawing RSA keys takes longer than
 * everything else in a start; they encrypt connections and prove no identity, so nodes of one machine may share them.
 */
export function mysqlTemplate(installation: MysqlInstallation, user: EngineUser): Template {
  return {
    name: `mysql-${installation.version}-${String(revision)}`,
    async build(directory, signal) {
      const { file, args } = installation.command('mysqld', [
        '--no-defaults',
        '--initialize-insecure',
        `--datadir=${directory}`,
        `--basedir=${installation.basedir}`,
        `--plugin-dir=${installation.pluginDirectory}`,
        `--lc-messages-dir=${installation.messagesDirectory}`,
        '--secure-file-priv=NULL',
        '--skip-log-bin',
        '--mysqlx=OFF',
        '--character-set-server=utf8mb4',
        '--collation-server=utf8mb4_0900_bin',
        // Every node copies the redo log; each grows it to its own size at its first start.
        '--innodb-redo-log-capacity=8M',
      ]);
      const deadlineMs = 150_000;
      await runProgram('mysqld --initialize', { file, args, user, cwd: directory, signal, deadlineMs });
      await dropPersonalFiles(directory);
    },
  };
}

/** `auto.cnf` holds the server's UUID, which must differ on every node; spare redo files are made when needed. */
async function dropPersonalFiles(directory: string): Promise<void> {
  await rm(join(directory, 'auto.cnf'));
  const redo = join(directory, redoDirectory);
  const spare = (await readdir(redo)).filter((name) => name.endsWith('_tmp'));
  for (const name of spare) await rm(join(redo, name));
}
