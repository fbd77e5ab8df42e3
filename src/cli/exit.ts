import { CommanderError } from 'commander';
import type { ErrorName } from '../core/errors/catalogue.ts';
import { KlusterError, toKlusterError } from '../core/errors/kluster-error.ts';

/** Exit codes of `kluster`; scripts rely on them (docs/cli.md, `kluster --help`). */
export const exitCodes = {
  done: 0,
  /** The job failed, or the manager refused or could not do what was asked. */
  failed: 1,
  /** The command line or a parameter breaks a rule; nothing was changed. */
  usage: 2,
  /** No manager answers. */
  unreachable: 3,
  /** The credentials are missing or wrong. */
  unauthorized: 4,
  /** There is no such job, cluster, machine or node. */
  notFound: 5,
  /** Interrupted by a signal: 128 + SIGINT. A job that was being watched goes on. */
  interrupted: 130,
} as const;

export const exitCodeHelp = `
Exit codes:
  0    done
  1    the job failed, or the manager refused the request
  2    the command line or a parameter breaks a rule; nothing was changed
  3    no manager answers
  4    credentials are missing or wrong
  5    there is no such job, cluster, machine or node
  130  interrupted; a job that was being watched goes on`;

const codesByKind: Partial<Record<ErrorName, number>> = {
  usage: exitCodes.usage,
  invalid_parameters: exitCodes.usage,
  bad_request: exitCodes.usage,
  unknown_job_type: exitCodes.usage,
  not_built: exitCodes.usage,
  configuration: exitCodes.usage,
  manager_unreachable: exitCodes.unreachable,
  unauthorized: exitCodes.unauthorized,
  job_not_found: exitCodes.notFound,
  cluster_not_found: exitCodes.notFound,
  machine_not_found: exitCodes.notFound,
  instance_address_unknown: exitCodes.notFound,
  interrupted: exitCodes.interrupted,
};

/** What a command throws to end with an exit code after it has said everything itself. */
export class CommandExit extends Error {
  override readonly name = 'CommandExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${String(exitCode)}`);
    this.exitCode = exitCode;
  }
}

export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommandExit) return thrown.exitCode;
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  return codesByKind[toKlusterError(thrown).kind] ?? exitCodes.failed;
}

/** A mistake on the command line itself. */
export function usageError(message: string): KlusterError {
  return new KlusterError('usage', message);
}
