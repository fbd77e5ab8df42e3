/** How to start a program: an executable and its arguments, to be given to spawn without a shell. */
export interface ProgramCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/** One installed version of an engine on this machine. */
export interface EngineInstallation {
  readonly engine: 'mysql' | 'postgres';
  /** Numbers only, e.g. `9.7.4` or `15.18`. */
  readonly version: string;
  /** Absolute path without symbolic links, so that an upgrade beside it does not change running processes. */
  readonly directory: string;
  /**
   * The command that runs a program of the installation (`mysqld`, `mysql`, `mysqlbinlog`, `initdb`, `psql` …). It
   * may start another file than the program itself: programs of a private prefix run through its dynamic loader.
   * @throws KlusterError engine_missing when the installation has no such program.
   */
  command(program: string, args: readonly string[]): ProgramCommand;
}
