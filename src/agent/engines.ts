import type { Account, EngineName, EngineVersion, InstanceSpec } from '../core/agent-protocol.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { InstanceId } from '../core/ids.ts';
import { localAccountPassword } from '../core/seal.ts';
import type { EngineInstance } from '../engines/engine.ts';
import {
  findMysql,
  findPostgres,
  type EngineInstallation,
  type EngineUser,
  type FindOptions,
  type MysqlInstallation,
  type PostgresInstallation,
} from '../engines/installation.ts';
import { MysqlInstance } from '../engines/mysql/mysql-instance.ts';
import { PostgresInstance } from '../engines/postgres/postgres-instance.ts';
import { TemplateStore } from '../engines/template.ts';

interface EnginesOptions {
  readonly user: EngineUser;
  readonly templateDirectory: string;
  readonly mysqlDirectory?: string;
  readonly postgresDirectory?: string;
}

interface InstanceInput {
  readonly id: InstanceId;
  readonly spec: InstanceSpec;
  readonly accounts: readonly Account[];
  readonly secret: string;
}

/** An engine that may be missing: then it is looked for again at every use, so that setup needs no new agent. */
class Installed<Installation extends EngineInstallation> {
  readonly #look: () => Promise<Installation>;
  found: Installation | null = null;
  reason = '';

  constructor(look: () => Promise<Installation>) {
    this.#look = look;
  }

  async find(): Promise<Installation> {
    this.found ??= await this.#look();
    return this.found;
  }

  async tryFind(): Promise<void> {
    try {
      await this.find();
    } catch (error) {
      if (!(error instanceof KlusterError)) throw error;
      this.reason = errorText(error);
    }
  }

  get version(): string {
    return this.found?.version ?? 'unknown';
  }
}

const directoryOption = (directory: string | undefined): FindOptions =>
  directory === undefined ? {} : { directory };

/** The engines of this machine. */
export class Engines {
  readonly #mysql: Installed<MysqlInstallation>;
  readonly #postgres: Installed<PostgresInstallation>;
  readonly #user: EngineUser;
  readonly #templates: TemplateStore;

  private constructor(options: EnginesOptions) {
    this.#mysql = new Installed(() => findMysql(directoryOption(options.mysqlDirectory)));
    this.#postgres = new Installed(() => findPostgres(directoryOption(options.postgresDirectory)));
    this.#user = options.user;
    this.#templates = new TemplateStore(options.templateDirectory, options.user);
  }

  /** Looks for the engines; a missing one is no error until it is needed. */
  static async open(options: EnginesOptions): Promise<Engines> {
    const engines = new Engines(options);
    await Promise.all([engines.#mysql.tryFind(), engines.#postgres.tryFind()]);
    return engines;
  }

  get versions(): Readonly<Partial<Record<EngineName, EngineVersion>>> {
    const { found: mysql } = this.#mysql;
    const { found: postgres } = this.#postgres;
    return {
      ...(mysql === null ? {} : { mysql: { version: mysql.version, directory: mysql.directory } }),
      ...(postgres === null
        ? {}
        : { postgres: { version: postgres.version, directory: postgres.directory } }),
    };
  }

  /** Why engines are missing, for the log. */
  get missing(): readonly string[] {
    return [this.#mysql, this.#postgres].filter(({ found }) => found === null).map(({ reason }) => reason);
  }

  instance({ id, spec, accounts, secret }: InstanceInput): EngineInstance {
    const common = { id, accounts, user: this.#user, templates: this.#templates };
    if (spec.engine === 'mysql') {
      return new MysqlInstance({
        ...common,
        spec,
        version: () => this.#mysql.version,
        localPassword: localAccountPassword(secret),
        installation: () => this.#mysql.find(),
      });
    }
    return new PostgresInstance({
      ...common,
      spec,
      version: () => this.#postgres.version,
      installation: () => this.#postgres.find(),
    });
  }
}
