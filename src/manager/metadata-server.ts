import { join } from 'node:path';
import type { Logger } from 'pino';
import { Instances } from '../agent/instances.ts';
import type { Credential } from '../catalog/credentials.ts';
import type { MysqlInstanceSpec } from '../core/agent-protocol.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { instanceId } from '../core/ids.ts';
import type { HostPort } from '../core/model.ts';
import { derivedPassword, generatePassword, seal } from '../core/seal.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { makeWritable } from '../engines/mysql/read-only.ts';
import type { Home } from './home.ts';
import { defaultPorts, type HomeConfig } from './home-config.ts';
import { readMetadataCredentials, writeMetadataCredentials, type MetadataCredentials } from './secrets.ts';
import { patiently } from './start-patience.ts';

/** The one mysqld of a standalone installation's metadata; the manager makes and supervises it, without an agent. */
export interface MetadataServer {
  readonly at: HostPort;
  readonly management: Credential;
  /** The limited account that consoles may use. */
  readonly monitor: Credential;
  /** Process of the server now; null while it is down. */
  pid(): number | null;
  /** Ends the supervision; the server lives on. */
  close(): Promise<void>;
}

export interface MetadataServerOptions {
  readonly home: Home;
  readonly config: HomeConfig;
  readonly secret: string;
  readonly logger: Logger;
}

const metadataInstance = instanceId('metadata');
const managementUser = 'kluster_management';
const monitorUser = 'kluster_monitor';
const serverId = 1;
/** Enough for some compute nodes with many sessions; one that is not used costs nothing. */
const metadataConnections = 4000;
/** Ports tried after the configured one. */
const portAttempts = 100;

/** Starts the server, makes it at the first start, and opens it for writes now and after each of its restarts. */
export async function openMetadataServer(options: MetadataServerOptions): Promise<MetadataServer> {
  const { home, config, secret, logger } = options;
  const instances = await Instances.open({
    stateDirectory: home.metadataDirectory,
    templateDirectory: join(home.agentDirectory, 'templates'),
    secret,
    logger,
    ...(config.mysqlDirectory === undefined ? {} : { mysqlDirectory: config.mysqlDirectory }),
  });
  try {
    const credentials = await started(instances, options);
    const [at] = credentials.nodes;
    if (at === undefined) throw new KlusterError('configuration', 'secrets/metadata.json names no server');
    const management = { user: credentials.user, password: credentials.password };
    const open = (): Promise<void> =>
      patiently(logger, (signal) => withMysql({ ...at, ...management }, signal, makeWritable));
    await open();
    const unsubscribe = instances.subscribe((event) => {
      if (event.type !== 'instance' || event.instance.state !== 'running') return;
      open().catch((error: unknown) => {
        logger.error({ err: error }, 'the metadata server came back but could not be opened for writes');
      });
    });
    return {
      at,
      management,
      monitor: monitorAccount(secret),
      pid: () => instances.list()[0]?.pid ?? null,
      async close() {
        unsubscribe();
        await instances.close();
      },
    };
  } catch (error) {
    await instances.close();
    throw error;
  }
}

function monitorAccount(secret: string): Credential {
  return { user: monitorUser, password: derivedPassword(secret, 'metadata-monitor') };
}

async function started(instances: Instances, options: MetadataServerOptions): Promise<MetadataCredentials> {
  const { home, config } = options;
  const known = await readMetadataCredentials(home);
  const created = instances.list().some((view) => view.instanceId === metadataInstance);
  if (known !== undefined && created) {
    await instances.start(metadataInstance);
    return known;
  }
  const user = managementUser;
  const password = known?.password ?? generatePassword();
  const first = known?.nodes[0]?.port ?? config.metadataPort ?? defaultPorts.metadata;
  for (let port = first; ; port += 1) {
    // Written first: a server whose password nobody knows would be of no use after a crash.
    const credentials = { nodes: [{ hostaddr: config.hostaddr, port }], user, password };
    await writeMetadataCredentials(home, credentials);
    try {
      await instances.create(metadataInstance, specification(options, port, { user, password }));
      return credentials;
    } catch (error) {
      const busy = error instanceof KlusterError && error.kind === 'port_busy';
      if (!busy || port >= first + portAttempts) throw error;
      await instances.remove(metadataInstance);
    }
  }
}

function specification(
  { home, config, secret }: MetadataServerOptions,
  port: number,
  management: Credential,
): MysqlInstanceSpec {
  const directory = join(home.metadataDirectory, 'data');
  const accounts = [
    { purpose: 'management', ...management },
    { purpose: 'monitor', ...monitorAccount(secret) },
  ];
  return {
    engine: 'mysql',
    hostaddr: config.hostaddr,
    port,
    groupReplicationPort: port,
    datadir: directory,
    logdir: directory,
    walLogDir: directory,
    serverId,
    profile: 'small',
    // Every session of a compute node that has written to several shards keeps a connection for its decisions.
    maxConnections: metadataConnections,
    labels: { role: 'metadata' },
    sealedAccounts: seal(secret, 'agent-accounts', JSON.stringify(accounts)),
  };
}
