import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { mysqlCandidates, mysqlIn, type MysqlInstallation } from './mysql-installation.ts';
import {
  hostPostgresCandidates,
  postgresCandidates,
  postgresIn,
  type PostgresInstallation,
} from './postgres-installation.ts';

export type { EngineInstallation, ProgramCommand } from './engine-installation.ts';
export { engineUser, engineUserName, type EngineUser } from './engine-user.ts';
export type { MysqlInstallation } from './mysql-installation.ts';
export type { PostgresInstallation } from './postgres-installation.ts';

export interface FindOptions {
  /** Look here only: a MySQL tarball or `/usr`, a PostgreSQL bin directory or its parent. Default: the usual places. */
  readonly directory?: string;
}

/** Where setup keeps engines that it installs outside of the host's system; `KLUSTER_ENGINES` overrides it. */
export function enginesDirectory(): string {
  return process.env['KLUSTER_ENGINES'] ?? '/opt/kluster/engines';
}

/** The first usable installation of the candidates; the error tells for each candidate why it is not. */
async function firstUsable<Installation>(
  wanted: string,
  candidates: readonly string[],
  look: (directory: string) => Promise<Installation>,
): Promise<Installation> {
  const reasons: string[] = [];
  for (const directory of candidates) {
    try {
      return await look(directory);
    } catch (error) {
      if (!(error instanceof KlusterError)) throw error;
      reasons.push(errorText(error));
    }
  }
  throw new KlusterError('engine_missing', `This machine has no usable ${wanted}: ${reasons.join('; ')}`);
}

/**
 * Finds MySQL 8.4 or newer: in the directory given, otherwise what setup installed, otherwise the host's own.
 * @throws KlusterError engine_missing naming each place and why it is of no use.
 */
export async function findMysql(options: FindOptions = {}): Promise<MysqlInstallation> {
  const candidates =
    options.directory === undefined ? mysqlCandidates(enginesDirectory()) : [options.directory];
  return firstUsable('MySQL', candidates, mysqlIn);
}

/**
 * Finds PostgreSQL 15 or newer: in the directory given, otherwise setup's own copy, otherwise major version 15 in the
 * usual places, otherwise the newest there.
 * @throws KlusterError engine_missing naming each place and why it is of no use.
 */
export async function findPostgres(options: FindOptions = {}): Promise<PostgresInstallation> {
  const candidates =
    options.directory === undefined ? await postgresCandidates(enginesDirectory()) : [options.directory];
  return firstUsable('PostgreSQL', candidates, postgresIn);
}

/** The same, but never setup's own copy: what such a copy is made from. @throws KlusterError engine_missing */
export async function findHostPostgres(): Promise<PostgresInstallation> {
  return firstUsable('PostgreSQL', await hostPostgresCandidates(), postgresIn);
}
