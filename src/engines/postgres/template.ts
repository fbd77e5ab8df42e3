import type { EngineUser, PostgresInstallation } from '../installation.ts';
import { extensionName } from '../postgres-extension.ts';
import { runProgram } from '../run-program.ts';
import type { Template } from '../template.ts';
import { localRole } from './configuration.ts';

/** Counts up when the making changes, so that old templates are not used any more. */
const revision = 2;

const deadlineMs = 120_000;
const shownDigits = 12;

/** CREATE DATABASE copies template1; the manager and administrators use postgres. */
const databasesWithExtension = ['template1', 'postgres'];

interface TemplateInput {
  readonly installation: PostgresInstallation;
  /** The build of its extension; another build makes another template. */
  readonly extensionBuild: string;
  readonly user: EngineUser;
}

/**
 * An initialised data directory with the extension in every database to come, whose only role is the agent's. All copies have one system identifier. That matters
 * only to physical replication and to archives of WAL, which tell servers apart by it; compute nodes use neither.
 * Text compares by bytes, as it does on the storage nodes, so that both sort and deduplicate alike.
 */
export function postgresTemplate({ installation, extensionBuild, user }: TemplateInput): Template {
  const build = extensionBuild.slice(0, shownDigits);
  return {
    name: `postgres-${installation.version}-${String(revision)}-${build}`,
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
      await runProgram('initdb', { file, args, user, cwd: directory, signal, deadlineMs });
      for (const database of databasesWithExtension) {
        await runProgram('postgres --single', {
          ...installation.command('postgres', singleUserArguments(directory, database)),
          input: `CREATE EXTENSION ${extensionName};\n`,
          user,
          cwd: directory,
          signal,
          deadlineMs,
        });
      }
    },
  };
}

/** exit_on_error: single-user mode goes on after a statement that failed, otherwise. */
function singleUserArguments(directory: string, database: string): readonly string[] {
  return [
    '--single',
    '-D',
    directory,
    '-c',
    `shared_preload_libraries=${extensionName}`,
    '-c',
    'exit_on_error=on',
    '-c',
    'fsync=off',
    database,
  ];
}
