import type { EngineUser, PostgresInstallation } from '../installation.ts';
import { runProgram } from '../run-program.ts';
import type { Template } from '../template.ts';
import { localRole } from './configuration.ts';

/** Counts up when the making changes, so that old templates are not used any more. */
const revision = 1;

/**
 * An initialised data directory whose only role is the agent's. All copies have one system identifier. That matters
 * only to physical replication and to archives of WAL, which tell servers apart by it; compute nodes use neither.
 * Text compares by bytes, as it does on the storage nodes, so that both sort and deduplicate alike.
 */
export function postgresTemplate(installation: PostgresInstallation, user: EngineUser): Template {
  return {
    name: `postgres-${installation.version}-${String(revision)}`,
    async build(directory, signal) {
      const { file, args } = installation.command('initdb', [
        `--pgdata=${directory}`,
        `--username=${localRole}`,
        '--encoding=UTF8',
        '--locale=C.UTF-8',
        '--auth=peer',
        '--data-checksums',
        // The copies are flushed to disk, the template is not trusted beyond that.
        '--no-sync',
        '--no-instructions',
      ]);
      const deadlineMs = 120_000;
      await runProgram('initdb', { file, args, user, cwd: directory, signal, deadlineMs });
    },
  };
}
