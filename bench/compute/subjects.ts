import { createWriteStream } from 'node:fs';
import { createConnection, type Connection } from 'mysql2/promise';
import { Client } from 'pg';
import type { SqlAddress } from '../../src/engines/sql.ts';
import {
  startComputeEngines,
  postgresWithExtension,
  type ComputeEngines,
} from '../../test/support/compute-engines.ts';
import type { MetadataServer } from '../../test/support/metadata-server.ts';
import { startPostgresIn, type PostgresServer } from '../../test/support/postgres-process.ts';

const bulkTable = `(id int PRIMARY KEY, n int, v varchar(50))`;
const remoteDatabase = 'bench';

/** Where the rows of the compute node's table are in MySQL. */
export const computeTable = '`postgres_$$_public`.bench';

/** What is compared: the same table behind each. */
export interface Subjects {
  readonly engines: ComputeEngines;
  readonly compute: Client;
  /** The same PostgreSQL without anything, and mysql_fdw in it, in schema `foreign`. */
  readonly plain: Client;
  readonly plainServer: PostgresServer;
  /** Directly to the MySQL that is shard 1. */
  readonly mysql: Connection;
  stop(): Promise<void>;
}

async function connect({ hostaddr: host, port, user, password }: SqlAddress): Promise<Client> {
  const client = new Client({ host, port, user, password, database: 'postgres' });
  await client.connect();
  return client;
}

async function connectToMysql(
  { hostaddr: host, port }: MetadataServer,
  account: { user: string; password: string },
) {
  const mysql = await createConnection({ host, port, ...account });
  await mysql.query(`CREATE DATABASE ${remoteDatabase}`);
  await mysql.query(`USE ${remoteDatabase}`);
  await mysql.query(`CREATE TABLE bench ${bulkTable}`);
  await mysql.query(`CREATE TABLE fdw ${bulkTable}`);
  await mysql.query('SET GLOBAL local_infile = ON');
  return mysql;
}

async function addMysqlFdw(
  plain: Client,
  { port }: MetadataServer,
  account: { user: string; password: string },
) {
  await plain.query('CREATE EXTENSION mysql_fdw');
  await plain.query(
    `CREATE SERVER mysql FOREIGN DATA WRAPPER mysql_fdw OPTIONS (host '127.0.0.1', port '${String(port)}')`,
  );
  await plain.query(
    `CREATE USER MAPPING FOR CURRENT_USER SERVER mysql OPTIONS (username '${account.user}', password '${account.password}')`,
  );
  await plain.query(
    `CREATE FOREIGN TABLE fdw (id int, n int, v varchar(50)) SERVER mysql OPTIONS (dbname '${remoteDatabase}', table_name 'fdw')`,
  );
}

/** PostgreSQL servers listen at two ports of 127.0.0.1, from `port`. Whoever starts it stops it. */
export async function startSubjects(
  directory: string,
  plainDirectory: string,
  port: number,
): Promise<Subjects> {
  const engines = await startComputeEngines(directory, port);
  const installation = await postgresWithExtension();
  const plainServer = await startPostgresIn(
    plainDirectory,
    { hostaddr: '127.0.0.1', port: port + 1 },
    { installation },
  );
  const [shard] = engines.shards;
  if (shard === undefined) throw new Error('no shard');
  const { account } = engines.topology;
  const [compute, plain] = [await connect(engines.address), await connect(plainServer.address)];
  const mysql = await connectToMysql(shard, account);
  await addMysqlFdw(plain, shard, account);
  await plain.query(`CREATE TABLE bench ${bulkTable}`);
  await compute.query(`CREATE TABLE bench ${bulkTable} WITH (shard = 1)`);
  await compute.query(`CREATE TABLE other ${bulkTable} WITH (shard = 2)`);
  const stop = async (): Promise<void> => {
    await Promise.all([compute.end(), plain.end(), mysql.end()]);
    await plainServer.stop();
    await engines.stop();
  };
  return { engines, compute, plain, plainServer, mysql, stop };
}

/** The rows of the bulk tables as lines, for LOAD DATA and COPY. */
export async function writeRows(file: string, rows: number): Promise<void> {
  const stream = createWriteStream(file, { mode: 0o644 });
  for (let id = 1; id <= rows; id += 1)
    stream.write(`${String(id)}\t${String(id % 1000)}\tvalue of row ${String(id)}\n`);
  await new Promise((resolve) => {
    stream.end(resolve);
  });
}
