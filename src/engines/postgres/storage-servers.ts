import { escapeIdentifier, escapeLiteral } from 'pg';
import type { HostPort } from '../../core/model.ts';
import { textOf, type SqlRow, type SqlSession } from '../sql.ts';
import type { ComputeTopology, TopologyShard } from './topology.ts';
import { inTransaction } from './transaction.ts';

/**
 * How a compute node reaches the shards, with the mysql_fdw of Debian: one foreign server per shard, named like the
 * shard, with one user mapping for everybody. A public mapping's password is shown to superusers only
 * (manual 54.27, pg_user_mappings).
 */
interface StorageServer extends HostPort {
  readonly name: string;
  readonly user: string;
  readonly password: string;
}

/** Schema of the manager's own tables; readable by the owner only. */
const ownSchema = 'kluster';

/** Any number that only this code uses: definitions of storage servers are made by one session at a time. */
const definitionLock = 7_053_418;

/** The table that every shard carries about itself; existing tools look for this name. */
const shardIdentityTable = { database: 'kunlun_sysdb', table: 'cluster_info' } as const;

/** Runs the callback as one transaction that no other session's definitions overlap. */
export function lockDefinitions<T>(session: SqlSession, run: () => Promise<T>): Promise<T> {
  return inTransaction(session, async () => {
    await session.query(`SELECT pg_advisory_xact_lock(${String(definitionLock)})`);
    await session.query('CREATE EXTENSION IF NOT EXISTS mysql_fdw');
    await session.query(`CREATE SCHEMA IF NOT EXISTS ${ownSchema}`);
    await session.query(
      `CREATE TABLE IF NOT EXISTS ${ownSchema}.topology (
         one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row), generation bigint NOT NULL)`,
    );
    return run();
  });
}

/** Notes the generation; false, and nothing is changed, when the node has a greater one. */
export async function replaceGeneration(session: SqlSession, generation: number): Promise<boolean> {
  const { affectedRows } = await session.execute(
    `INSERT INTO ${ownSchema}.topology AS known (generation) VALUES ($1)
     ON CONFLICT (one_row) DO UPDATE SET generation = EXCLUDED.generation
      WHERE known.generation <= EXCLUDED.generation`,
    [generation],
  );
  return affectedRows > 0;
}

/** Makes, corrects and drops servers until they are those of the topology. */
export async function defineStorageServers(
  session: SqlSession,
  topology: ComputeTopology,
  applicationRole: string,
): Promise<void> {
  const known = await readStorageServers(session);
  const wanted = topology.shards.flatMap((shard) => serverOf(shard, topology.account));
  for (const server of wanted) {
    const before = known.find(({ name }) => name === server.name);
    if (before === undefined) await createServer(session, server, applicationRole);
    else await correctServer(session, before, server);
  }
  // Its shard is gone, with every table: what still refers to the server has nothing behind it.
  for (const { name } of known.filter((server) => !wanted.some((other) => other.name === server.name))) {
    await session.query(`DROP SERVER ${escapeIdentifier(name)} CASCADE`);
  }
}

/** Nothing when the shard has no primary at this moment: its sessions stay where they are. */
function serverOf(
  { name, nodes }: TopologyShard,
  { user, password }: ComputeTopology['account'],
): readonly StorageServer[] {
  const primary = nodes.find((node) => node.primary);
  return primary === undefined ? [] : [{ name, hostaddr: primary.host, port: primary.port, user, password }];
}

/** Those that this code has made: each has a probe table. */
async function readStorageServers(session: SqlSession): Promise<readonly StorageServer[]> {
  const rows = await session.rows(
    `SELECT server.srvname AS name,
            (SELECT option_value FROM pg_options_to_table(server.srvoptions) WHERE option_name = 'host') AS host,
            (SELECT option_value FROM pg_options_to_table(server.srvoptions) WHERE option_name = 'port') AS port,
            (SELECT option_value FROM pg_options_to_table(mapping.umoptions) WHERE option_name = 'username') AS user_name,
            (SELECT option_value FROM pg_options_to_table(mapping.umoptions) WHERE option_name = 'password') AS password
       FROM pg_foreign_server AS server
       JOIN pg_foreign_table AS probe ON probe.ftserver = server.oid
       JOIN pg_class AS class ON class.oid = probe.ftrelid AND class.relname = 'probe_' || server.srvname
       JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace AND namespace.nspname = $1
       LEFT JOIN pg_user_mappings AS mapping ON mapping.srvid = server.oid AND mapping.umuser = 0`,
    [ownSchema],
  );
  return rows.map(parseServer);
}

function parseServer(row: SqlRow): StorageServer {
  return {
    name: textOf(row, 'name'),
    hostaddr: String(row['host']),
    port: Number(row['port']),
    user: String(row['user_name']),
    password: String(row['password']),
  };
}

async function createServer(
  session: SqlSession,
  server: StorageServer,
  applicationRole: string,
): Promise<void> {
  const name = escapeIdentifier(server.name);
  await session.query(
    `CREATE SERVER ${name} FOREIGN DATA WRAPPER mysql_fdw
       OPTIONS (host ${escapeLiteral(server.hostaddr)}, port ${escapeLiteral(String(server.port))})`,
  );
  await session.query(
    `CREATE USER MAPPING FOR PUBLIC SERVER ${name}
       OPTIONS (username ${escapeLiteral(server.user)}, password ${escapeLiteral(server.password)})`,
  );
  await session.query(
    `GRANT USAGE ON FOREIGN SERVER ${name} TO ${escapeIdentifier(applicationRole)} WITH GRANT OPTION`,
  );
  const { database, table } = shardIdentityTable;
  await session.query(
    `CREATE FOREIGN TABLE ${probeTable(server.name)} (cluster_name text, shard_name text) SERVER ${name}
       OPTIONS (dbname ${escapeLiteral(database)}, table_name ${escapeLiteral(table)})`,
  );
}

async function correctServer(
  session: SqlSession,
  before: StorageServer,
  server: StorageServer,
): Promise<void> {
  const name = escapeIdentifier(server.name);
  if (before.hostaddr !== server.hostaddr || before.port !== server.port) {
    const [host, port] = [escapeLiteral(server.hostaddr), escapeLiteral(String(server.port))];
    await session.query(`ALTER SERVER ${name} OPTIONS (SET host ${host}, SET port ${port})`);
  }
  if (before.user !== server.user || before.password !== server.password) {
    const [user, password] = [escapeLiteral(server.user), escapeLiteral(server.password)];
    await session.query(
      `ALTER USER MAPPING FOR PUBLIC SERVER ${name} OPTIONS (SET username ${user}, SET password ${password})`,
    );
  }
}

/** Where the compute node's sessions go for this shard; null when it does not know the shard. */
export async function readStorageRoute(session: SqlSession, name: string): Promise<HostPort | null> {
  const rows = await session.rows(
    `SELECT option_name, option_value FROM pg_foreign_server, pg_options_to_table(srvoptions) WHERE srvname = $1`,
    [name],
  );
  const options = new Map(rows.map((row) => [textOf(row, 'option_name'), textOf(row, 'option_value')]));
  const hostaddr = options.get('host');
  const port = options.get('port');
  return hostaddr === undefined || port === undefined ? null : { hostaddr, port: Number(port) };
}

function probeTable(server: string): string {
  return `${escapeIdentifier(ownSchema)}.${escapeIdentifier(`probe_${server}`)}`;
}

/** Reads through the server what the shard says it is: the proof that this compute node serves this shard. */
export async function readShardIdentity(
  session: SqlSession,
  server: string,
): Promise<{ readonly clusterName: string; readonly shardName: string } | null> {
  const [row] = await session.query(`SELECT cluster_name, shard_name FROM ${probeTable(server)}`);
  if (row === undefined) return null;
  return { clusterName: textOf(row, 'cluster_name'), shardName: textOf(row, 'shard_name') };
}
