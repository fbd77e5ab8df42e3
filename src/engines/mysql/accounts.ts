import type { Account, AccountPurpose } from '../../core/agent-protocol.ts';
import { textOf, type SqlSession } from '../sql.ts';
import type { MysqlDialect } from './dialect.ts';
import { quoteAccount, quoteText } from './quote.ts';

/** The agent's own account, for local sockets only. */
export const localAccount = { user: 'kluster_agent', host: 'localhost' } as const;
const anyHost = '%';

const dataPrivileges = [
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'CREATE',
  'DROP',
  'REFERENCES',
  'INDEX',
  'ALTER',
  'CREATE TEMPORARY TABLES',
  'LOCK TABLES',
  'EXECUTE',
  'CREATE VIEW',
  'SHOW VIEW',
  'CREATE ROUTINE',
  'ALTER ROUTINE',
  'EVENT',
  'TRIGGER',
] as const;

const managementPrivileges = [
  ...dataPrivileges,
  'RELOAD',
  'SHUTDOWN',
  'PROCESS',
  'SHOW DATABASES',
  'REPLICATION SLAVE',
  'REPLICATION CLIENT',
  'CREATE USER',
  'CREATE ROLE',
  'DROP ROLE',
] as const;

const managementDynamicPrivileges = [
  'BACKUP_ADMIN',
  'BINLOG_ADMIN',
  'CLONE_ADMIN',
  'CONNECTION_ADMIN',
  'FLUSH_TABLES',
  'FLUSH_USER_RESOURCES',
  'GROUP_REPLICATION_ADMIN',
  'GROUP_REPLICATION_STREAM',
  'INNODB_REDO_LOG_ENABLE',
  'PERSIST_RO_VARIABLES_ADMIN',
  'REPLICATION_APPLIER',
  'REPLICATION_SLAVE_ADMIN',
  'ROLE_ADMIN',
  'SESSION_VARIABLES_ADMIN',
  'SET_ANY_DEFINER',
  'SYSTEM_VARIABLES_ADMIN',
  'XA_RECOVER_ADMIN',
] as const;

/** Group recovery and clone log in at the donor as this account. */
const replicationPrivileges = ['REPLICATION SLAVE'] as const;
const replicationDynamicPrivileges = [
  'BACKUP_ADMIN',
  'CONNECTION_ADMIN',
  'GROUP_REPLICATION_STREAM',
] as const;

const systemSchemas = ['mysql', 'sys'] as const;
/** All that the server lets anybody hold on performance_schema. */
const performanceSchemaPrivileges = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'LOCK TABLES'] as const;

const list = (privileges: readonly string[]): string => privileges.join(', ');

/** The statements that give an account what its purpose needs, and no more. */
const grants: Readonly<Record<AccountPurpose, (to: string, dialect: MysqlDialect) => readonly string[]>> = {
  management: (to, dialect) => [
    `GRANT ${list(managementPrivileges)} ON *.* TO ${to} WITH GRANT OPTION`,
    `GRANT ${list(dialect.privileges(managementDynamicPrivileges))} ON *.* TO ${to} WITH GRANT OPTION`,
  ],
  replication: (to, dialect) => [
    `GRANT ${list(replicationPrivileges)} ON *.* TO ${to}`,
    `GRANT ${list(dialect.privileges(replicationDynamicPrivileges))} ON *.* TO ${to}`,
  ],
  compute: (to) => [
    `GRANT ${list(dataPrivileges)} ON *.* TO ${to}`,
    `GRANT XA_RECOVER_ADMIN ON *.* TO ${to}`,
    ...systemSchemas.map((schema) => `REVOKE ${list(dataPrivileges)} ON ${schema}.* FROM ${to}`),
    `REVOKE ${list(performanceSchemaPrivileges)} ON performance_schema.* FROM ${to}`,
  ],
  monitor: (to) => [
    `GRANT REPLICATION CLIENT, PROCESS ON *.* TO ${to}`,
    `GRANT SELECT ON performance_schema.* TO ${to}`,
  ],
};

function create(account: string, password: string): string {
  return `CREATE USER IF NOT EXISTS ${account} IDENTIFIED WITH caching_sha2_password BY ${quoteText(password)}`;
}

export interface BootstrapInput {
  readonly accounts: readonly Account[];
  readonly localPassword: string;
  readonly dialect: MysqlDialect;
}

/**
 * The statements that turn the template's accounts into those of one node. They are never replicated and make no
 * GTIDs (`sql_log_bin`): a fresh node must not differ from its source. May be run again after a crash in between,
 * until root is locked, which comes last.
 */
export function bootstrapStatements({ accounts, localPassword, dialect }: BootstrapInput): readonly string[] {
  const local = quoteAccount(localAccount.user, localAccount.host);
  return [
    'SET SESSION sql_log_bin = OFF',
    'SET GLOBAL super_read_only = OFF',
    create(local, localPassword),
    // Lets the probe in when ordinary connections are used up; both together let the agent close a server that it ends.
    `GRANT CONNECTION_ADMIN, SYSTEM_VARIABLES_ADMIN ON *.* TO ${local}`,
    // For what it tells of the node's part in its shard.
    `GRANT SELECT ON performance_schema.* TO ${local}`,
    `GRANT XA_RECOVER_ADMIN ON *.* TO ${local}`,
    ...accounts.flatMap(({ purpose, user, password }) => {
      const account = quoteAccount(user, anyHost);
      return [create(account, password), ...grants[purpose](account, dialect)];
    }),
    `ALTER USER ${quoteAccount('root', 'localhost')} ACCOUNT LOCK`,
    'SET GLOBAL super_read_only = ON',
  ];
}

/** The names of all accounts of the server. */
export async function existingAccounts(session: SqlSession): Promise<ReadonlySet<string>> {
  const rows = await session.rows('SELECT DISTINCT user FROM mysql.user');
  return new Set(rows.map((row) => textOf(row, 'user')));
}
