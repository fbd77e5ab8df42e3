import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SqlAddress } from '../../src/engines/sql.ts';
import type { PostgresInstallation } from '../../src/engines/installation.ts';

const run = promisify(execFile);

/** pgbench, unmodified, against a server. */
export class Pgbench {
  private readonly installation: PostgresInstallation;
  private readonly address: SqlAddress;

  constructor(installation: PostgresInstallation, address: SqlAddress) {
    this.installation = installation;
    this.address = address;
  }

  async initialise(): Promise<void> {
    await this.pgbench(['-i', '-q', '-s', '1']);
  }

  /** Transactions per second; `args` say how many or how long. */
  async rate(args: readonly string[]): Promise<number> {
    const output = await this.pgbench([...args, '-n']);
    const found = /^tps = ([\d.]+)/mu.exec(output)?.[1];
    if (found === undefined) throw new Error(`pgbench says no rate: ${output}`);
    return Number(found);
  }

  private async pgbench(args: readonly string[]): Promise<string> {
    const { hostaddr, port, user, password } = this.address;
    const { file, args: all } = this.installation.command('pgbench', [
      '-h',
      hostaddr,
      '-p',
      String(port),
      '-U',
      user,
      ...args,
      'postgres',
    ]);
    const { stdout } = await run(file, [...all], { env: { ...process.env, PGPASSWORD: password } });
    return stdout;
  }
}
