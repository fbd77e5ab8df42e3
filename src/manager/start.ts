import { pino, type Logger } from 'pino';
import { Catalog } from '../catalog/catalog.ts';
import { MetadataDatabase, metadataDatabaseName } from '../catalog/database.ts';
import { createMetadataDatabase, migrate } from '../catalog/migrate.ts';
import { giveMissingAccess } from '../catalog/missing-access.ts';
import { AgentClients } from '../client/agent.ts';
import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { checkAccess } from '../http/access.ts';
import { createServer } from '../http/server.ts';
import { JobEngine } from '../jobs/engine.ts';
import type { Services } from '../jobs/services.ts';
import { countJobs } from '../queries/count-jobs.ts';
import { LiveTopology } from '../queries/topology.ts';
import { ensureHome, homeAt, type Home } from './home.ts';
import { defaultPorts, readHomeConfig, type HomeConfig } from './home-config.ts';
import { immediateJobs, missions } from './job-types.ts';
import { openMetadataReading } from './metadata-reading.ts';
import { openMetadataServer, type MetadataServer } from './metadata-server.ts';
import { recordThisProcess } from './process-file.ts';
import { Resources } from './resources.ts';
import { Retention, type RetentionOptions } from './retention.ts';
import { catalogKey, installationSecret } from './secrets.ts';
import { patiently } from './start-patience.ts';
import { makeWatches, type Watches } from './watches.ts';

export interface ManagerOptions {
  /** Directory of the installation (`home.ts`). */
  readonly home: string;
  /** Default: JSON lines on standard output. */
  readonly logger?: Logger;
}

export interface Manager {
  /** Of the API. */
  readonly url: string;
  /** Stops serving and lets jobs rest where they are; the next start goes on. Engine processes live on. */
  close(): Promise<void>;
}

/** Without a configuration file: an API that only this machine reaches. */
const defaultConfig: HomeConfig = {
  bind: '127.0.0.1',
  port: defaultPorts.manager,
  agentPort: defaultPorts.agent,
  hostaddr: '127.0.0.1',
  tokens: [],
};

/**
 * Starts the manager of one installation: metadata server, schema, a new term of office, the jobs that were under way, the
 * watches, and last the API. What was started is stopped again when a later part fails.
 * @throws KlusterError configuration, already_running, port_busy, metadata
 */
export async function startManager(options: ManagerOptions): Promise<Manager> {
  const logger = options.logger ?? pino({ name: 'manager' });
  const home = homeAt(options.home);
  await ensureHome(home);
  const config = (await readHomeConfig(home)) ?? defaultConfig;
  checkAccess(config);
  const resources = new Resources();
  try {
    const forget = await recordThisProcess(home.managerPidFile, 'manager');
    resources.add('process record', forget);
    const url = await assemble({ home, config, logger, resources });
    logger.info({ url }, 'manager serves');
    return { url, close: () => resources.release() };
  } catch (error) {
    await resources.release();
    throw error;
  }
}

interface Assembly {
  readonly home: Home;
  readonly config: HomeConfig;
  readonly logger: Logger;
  readonly resources: Resources;
}

async function assemble({ home, config, logger, resources }: Assembly): Promise<string> {
  const secret = await installationSecret(home);
  const metadata = await openMetadataServer({ home, config, secret, logger });
  resources.add('metadata server', () => metadata.close());
  const database = await openDatabase(metadata, logger);
  resources.add('metadata connections', () => database.close());
  const catalog = new Catalog(database, await catalogKey(home));
  const at: HostPort = { hostaddr: config.hostaddr, port: config.port };
  const holder = `${colonAddress(at)} pid ${String(process.pid)}`;
  await patiently(logger, (signal) => database.takeOffice(holder, signal));
  await patiently(logger, (signal) => recordMetadataServer(catalog, metadata, signal));
  const given = await patiently(logger, (signal) => giveMissingAccess(catalog, signal));
  if (given.length > 0)
    logger.info({ clusters: given }, 'compute nodes were given access to the metadata server');

  const office = { lost: false };
  const loseOffice = (reason: unknown): void => {
    if (office.lost) return;
    office.lost = true;
    logger.fatal({ err: reason }, 'another manager has taken office: this one stops');
    // The one way to end that also closes what the caller of startManager has opened.
    process.kill(process.pid, 'SIGTERM');
  };
  const agents = new AgentClients({ secret, epoch: () => database.epoch ?? 0 });
  const watches = makeWatches({
    catalog,
    agents,
    logger,
    failover: config.failover,
    submit: (submission) => engine.submit(submission),
    onLostOffice: loseOffice,
  });
  const services: Services = {
    catalog,
    agents,
    logger,
    installationSecret: secret,
    liveness: watches.agentWatch,
    shards: watches.shardWatch,
  };
  const engine = new JobEngine<Services>({
    database,
    services,
    missions,
    secret,
    logger,
    onLostOffice: () => {
      loseOffice(new KlusterError('stale_epoch', 'the job engine found a younger term of office'));
    },
  });
  resources.add('strain', () => Promise.resolve(watches.strain.close()));
  startWatches(watches, resources);
  startRetention({ catalog, logger, retention: config.retention, onLostOffice: loseOffice }, resources);
  await engine.start();
  resources.add('jobs', () => engine.stop());

  const server = await createServer<Services>({
    jobs: engine,
    missions,
    immediateJobs,
    services,
    config: { access: config },
    logger,
    leadership: { isLeader: () => !office.lost },
    topology: new LiveTopology(services, { metadataPid: () => metadata.pid() }),
    probeMetadata: async (signal) => {
      await catalog.database.read((sql) => catalog.metadataNodes.mode(sql), signal);
    },
    metrics: watches.metrics.all,
    countJobs: (signal) => countJobs(catalog, signal),
    agents: {
      secret,
      register: (agent) => database.write((sql) => catalog.agents.register(sql, agent)),
    },
  });
  resources.add('API', () => server.close());
  const url = await listen(server, config);
  await patiently(logger, (signal) => database.write((sql) => catalog.managers.setLeader(sql, at), signal));
  return url;
}

function startRetention(options: RetentionOptions, resources: Resources): void {
  const retention = new Retention(options);
  retention.start();
  resources.add('retention', () => retention.stop());
}

function startWatches(
  { agentWatch, shardWatch, computeWatch, inDoubtWatch }: Watches,
  resources: Resources,
): void {
  for (const [name, watch] of [
    ['agent watch', agentWatch],
    ['shard watch', shardWatch],
    ['compute watch', computeWatch],
    ['watch of prepared transactions', inDoubtWatch],
  ] as const) {
    watch.start();
    resources.add(name, () => watch.stop());
  }
}

async function openDatabase(metadata: MetadataServer, logger: Logger): Promise<MetadataDatabase> {
  const options = { ...metadata.at, ...metadata.management, database: metadataDatabaseName };
  await patiently(logger, (signal) => createMetadataDatabase(options, signal));
  const database = MetadataDatabase.open(options);
  try {
    const applied = await patiently(logger, (signal) => migrate(database, { signal }));
    if (applied.length > 0) logger.info({ applied }, 'the metadata schema was brought up to date');
    await patiently(logger, (signal) => openMetadataReading(metadata, signal));
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function recordMetadataServer(
  catalog: Catalog,
  { at, monitor }: MetadataServer,
  signal: AbortSignal,
): Promise<void> {
  await catalog.database.write(async (sql) => {
    await catalog.metadataNodes.put(sql, at, monitor);
    await catalog.metadataNodes.setPrimary(sql, at);
    await catalog.metadataNodes.setMode(sql, 'no_rep');
  }, signal);
}

async function listen(
  server: Awaited<ReturnType<typeof createServer>>,
  { bind, port }: HomeConfig,
): Promise<string> {
  try {
    return await server.listen({ host: bind, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    throw new KlusterError(
      'port_busy',
      `The API's address ${bind}:${String(port)} is taken by another program`,
      {
        cause: error,
      },
    );
  }
}
