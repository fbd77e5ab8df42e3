import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { metadataDatabaseName } from '../src/catalog/database.ts';
import { ManagerClient } from '../src/client/manager.ts';
import { withMysql } from '../src/engines/mysql/connection.ts';
import { identityOf, type ProcessIdentity } from '../src/engines/process-identity.ts';
import { numberOf, textOf, type SqlSession } from '../src/engines/sql.ts';
import { ensureHome, homeAt, type Home } from '../src/manager/home.ts';
import { managerUrl, writeHomeConfig, type HomeConfig } from '../src/manager/home-config.ts';
import { readLiveProcess } from '../src/manager/process-file.ts';
import { catalogKey, installationSecret, readMetadataCredentials } from '../src/manager/secrets.ts';
import { usageOf, type Usage } from './idle/process-usage.ts';
import type { BenchOptions } from './options.ts';
import { fillCatalog } from './scale/fill-catalog.ts';
import { Layout, type NodePlace } from './scale/layout.ts';
import { diagnosedAfter, readManagerLog, unhealthyShards } from './scale/manager-log.ts';
import type { SimulatorCounts, SimulatorOrder } from './scale/protocol.ts';
import { startKluster } from './support/kluster-program.ts';
import { shareTemplates } from './support/shared-templates.ts';
import { median, rounded } from './support/statistics.ts';
import { latenessBetween, readWatchFigures, type WatchFigures } from './scale/watch-figures.ts';
import { withWorkspace } from './support/workspace.ts';

/**
 * What it costs one manager to watch many machines whose nodes are all healthy, and how soon it sees one that is not.
 * Manager and metadata server are real; agents and the MySQL servers of the nodes are one simulating process.
 */
const defaultAgents = 1000;
const quickAgents = 50;
const windowSeconds = 30;
const quickWindowSeconds = 5;
/** After the manager has looked at everything for the first time. */
const settleSeconds = 10;
const quickSettleSeconds = 3;
const settleDeadlineMs = 180_000;
const exits = 5;
const quickExits = 3;
const betweenExitsMs = 1000;
const diagnosisDeadlineMs = 10_000;
const hostaddr = '127.0.24.61';
/** What is promised (ARCHITECTURE.md): one core, 500 MiB, nothing left undone. */
const target = { cpuPercent: 100, rssMib: 500, overdue: 0, p95Ms: 1000 };
const overdueSampleMs = 2000;

interface Subjects {
  readonly home: Home;
  /** Of the manager. */
  readonly url: string;
  readonly manager: ProcessIdentity;
  readonly metadata: ProcessIdentity;
  readonly simulator: ChildProcess;
  readonly layout: Layout;
}

interface Reading {
  readonly at: number;
  readonly manager: Usage;
  readonly metadata: Usage;
  readonly simulatorCpuSeconds: number;
  readonly questions: number;
  readonly counts: SimulatorCounts;
  readonly watches: WatchFigures;
}

/** Milliseconds from the end of a node until the manager asked about it, and until it knew. */
interface ExitTimes {
  readonly asked: number | undefined;
  readonly diagnosed: number | undefined;
}

export async function benchScale(options: BenchOptions): Promise<void> {
  const layout = new Layout(options.agents ?? (options.quick ? quickAgents : defaultAgents));
  await withWorkspace([hostaddr], async (directory) => {
    const home = homeAt(join(directory, 'home'));
    const started = await startManager(home);
    const simulator = fork(join(import.meta.dirname, 'scale', 'simulator.js'), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    try {
      const subjects = { home, ...started, simulator, layout };
      await listen(subjects);
      await onMetadata(home, async (session) => fillCatalog(session, layout, await catalogKey(home)));
      const firstRound = await settle(subjects, options.quick ? quickSettleSeconds : settleSeconds);
      const steady = await measure(subjects, () =>
        sleep((options.quick ? quickWindowSeconds : windowSeconds) * 1000),
      );
      const unhealthy = unhealthyShards(await readManagerLog(home.managerLog));
      const times: ExitTimes[] = [];
      const disturbed = await measure(subjects, async () => {
        times.push(...(await exitSome(subjects, options.quick ? quickExits : exits)));
      });
      report(layout, { firstRound, steady, disturbed, unhealthy, exits: times });
      const { warnings } = await readManagerLog(home.managerLog);
      for (const [text, count] of warnings) console.error(`manager warned ${String(count)} times: ${text}`);
    } finally {
      await end(simulator);
    }
  });
}

async function startManager(home: Home): Promise<Pick<Subjects, 'url' | 'manager' | 'metadata'>> {
  await ensureHome(home);
  await shareTemplates(home);
  const config: HomeConfig = { bind: hostaddr, port: 35_001, agentPort: 35_002, hostaddr, tokens: [] };
  await writeHomeConfig(home, config);
  const url = managerUrl(config);
  await startKluster(['manager', '--home', home.directory], {
    healthUrl: `${url}/healthz`,
    logFile: home.managerLog,
  });
  const { metadata } = await new ManagerClient({ url }).status();
  const manager = await readLiveProcess(home.managerPidFile);
  const server = identityOf(metadata.nodes[0]?.pid ?? 0);
  if (manager === undefined || server === undefined || server === null)
    throw new Error('the manager has not started');
  return { url, manager, metadata: server };
}

/** Simulated servers present the certificate of the real one, so that verifying it costs the manager the same. */
async function listen({ home, simulator, layout }: Subjects): Promise<void> {
  const files = await onMetadata(home, async (session) => {
    const [row] = await session.rows('SELECT @@GLOBAL.datadir AS value');
    return row === undefined ? '' : textOf(row, 'value');
  });
  const [certificate, key] = await Promise.all(
    ['server-cert.pem', 'server-key.pem'].map((name) => readFile(join(files, name), 'utf8')),
  );
  if (certificate === undefined || key === undefined)
    throw new Error('the metadata server has no certificate');
  const secret = await installationSecret(home);
  await tell(simulator, { kind: 'listen', agents: layout.agents, secret, certificate, key });
}

async function end(simulator: ChildProcess): Promise<void> {
  if (simulator.exitCode !== null || simulator.signalCode !== null) return;
  const ended = once(simulator, 'exit');
  if (simulator.connected) simulator.disconnect();
  await ended;
}

async function tell(simulator: ChildProcess, order: SimulatorOrder): Promise<SimulatorCounts> {
  const stop = new AbortController();
  const reply = once(simulator, 'message', { signal: stop.signal });
  const ended = once(simulator, 'exit', { signal: stop.signal }).then(() => {
    throw new Error('the process of the simulated machines has ended');
  });
  try {
    simulator.send(order);
    const [counts] = (await Promise.race([reply, ended])) as [SimulatorCounts];
    return counts;
  } finally {
    stop.abort();
    await Promise.allSettled([reply, ended]);
  }
}

async function onMetadata<T>(home: Home, work: (session: SqlSession) => Promise<T>): Promise<T> {
  const credentials = await readMetadataCredentials(home);
  const [at] = credentials?.nodes ?? [];
  if (credentials === undefined || at === undefined) throw new Error('the metadata server is not known');
  const { user, password } = credentials;
  const address = { ...at, user, password, database: metadataDatabaseName };
  return withMysql(address, new AbortController().signal, work);
}

/** @returns seconds until every agent was listened to and every shard had been looked at, or it was given up */
async function settle({ simulator, layout, url }: Subjects, seconds: number): Promise<number> {
  const start = performance.now();
  const deadline = start + settleDeadlineMs;
  for (;;) {
    const { streams } = await tell(simulator, { kind: 'count' });
    if (streams === layout.agents) break;
    if (performance.now() > deadline) throw new Error(`only ${String(streams)} agents are listened to`);
    await sleep(200);
  }
  // What is new is noticed within five seconds.
  await sleep(5000);
  while ((await readWatchFigures(url)).overdue > 0 && performance.now() < deadline) await sleep(500);
  const firstRound = rounded((performance.now() - start) / 1000, 1);
  await sleep(seconds * 1000);
  return firstRound;
}

async function read({ home, url, manager, metadata, simulator }: Subjects): Promise<Reading> {
  const [of, server] = await Promise.all([usageOf(manager, [metadata]), usageOf(metadata, [])]);
  const identity = identityOf(simulator.pid ?? 0);
  if (identity === undefined || identity === null) throw new Error('the simulator has ended');
  const questions = await onMetadata(home, async (session) => {
    const [row] = await session.rows(
      "SELECT VARIABLE_VALUE AS value FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Questions'",
    );
    return row === undefined ? 0 : numberOf(row, 'value');
  });
  const counts = await tell(simulator, { kind: 'count' });
  const { cpuSeconds } = await usageOf(identity, []);
  return {
    at: performance.now(),
    manager: of,
    metadata: server,
    simulatorCpuSeconds: cpuSeconds,
    questions,
    counts,
    watches: await readWatchFigures(url),
  };
}

async function measure(subjects: Subjects, during: () => Promise<unknown>) {
  const before = await read(subjects);
  const overdue = await highestOverdue(subjects.url, during());
  const after = await read(subjects);
  const seconds = (after.at - before.at) / 1000;
  const perSecond = (value: (reading: Reading) => number): number => (value(after) - value(before)) / seconds;
  return {
    seconds: rounded(seconds, 1),
    managerCpuPercent: rounded(100 * perSecond(({ manager }) => manager.cpuSeconds), 1),
    managerRssMib: rounded(after.manager.residentKib / 1024, 0),
    metadataCpuPercent: rounded(100 * perSecond(({ metadata }) => metadata.cpuSeconds), 1),
    catalogQueriesPerSecond: rounded(
      perSecond(({ questions }) => questions),
      0,
    ),
    loginsPerSecond: rounded(
      perSecond(({ counts }) => counts.logins),
      0,
    ),
    nodeStatementsPerSecond: rounded(
      perSecond(({ counts }) => counts.statements),
      0,
    ),
    highestOverdue: overdue,
    routine: latenessBetween(before.watches, after.watches, 'routine'),
    urgent: latenessBetween(before.watches, after.watches, 'urgent'),
    simulatorCpuPercent: rounded(100 * perSecond((reading) => reading.simulatorCpuSeconds), 1),
    agentsListenedTo: after.counts.streams,
    unknownStatements: after.counts.unknown,
    loadAverage: rounded(loadavg()[0] ?? 0, 1),
  };
}

/** The most looks at one moment that were due and had not begun, seen while something goes on. */
async function highestOverdue(url: string, during: Promise<unknown>): Promise<number> {
  const done = new AbortController();
  const ended = during.finally(() => {
    done.abort();
  });
  let highest = 0;
  while (!done.signal.aborted) {
    highest = Math.max(highest, (await readWatchFigures(url)).overdue);
    await sleep(overdueSampleMs, undefined, { signal: done.signal }).catch(() => undefined);
  }
  await ended;
  return highest;
}

/** For each of so many replicas, one after another. */
async function exitSome(subjects: Subjects, count: number): Promise<readonly ExitTimes[]> {
  const times: ExitTimes[] = [];
  for (const place of subjects.layout.someReplicas(count)) {
    const { at } = await tell(subjects.simulator, { kind: 'exit', node: place.node });
    const diagnosed = await diagnosis(subjects.home, place, at);
    const { askedAfterMs } = await tell(subjects.simulator, { kind: 'count' });
    times.push({ asked: askedAfterMs ?? undefined, diagnosed });
    await tell(subjects.simulator, { kind: 'return', node: place.node });
    await sleep(betweenExitsMs);
  }
  return times;
}

async function diagnosis(home: Home, place: NodePlace, since: number): Promise<number | undefined> {
  const deadline = performance.now() + diagnosisDeadlineMs;
  while (performance.now() < deadline) {
    await sleep(betweenExitsMs);
    const after = diagnosedAfter(await readManagerLog(home.managerLog), place, since);
    if (after !== undefined) return after;
  }
  return undefined;
}

type Measured = Awaited<ReturnType<typeof measure>>;

interface Findings {
  /** Seconds until a manager that starts has looked at everything. */
  readonly firstRound: number;
  readonly steady: Measured;
  readonly disturbed: Measured;
  /** Shards that the manager did not think healthy at the end of the steady window. */
  readonly unhealthy: number;
  readonly exits: readonly ExitTimes[];
}

function summary(times: readonly (number | undefined)[]) {
  const known = times.filter((time) => time !== undefined);
  return {
    exits: times.length,
    seen: known.length,
    medianMs: median(known),
    highestMs: known.length === 0 ? Number.NaN : Math.max(...known),
  };
}

/** What of the target is missed, in words. */
function missed({ steady, unhealthy, exits: times }: Findings): readonly string[] {
  const { managerCpuPercent: cpu, managerRssMib: rss, highestOverdue: overdue, routine } = steady;
  return [
    cpu < target.cpuPercent ? '' : `${String(cpu)} % of a core`,
    rss < target.rssMib ? '' : `${String(rss)} MiB`,
    overdue <= target.overdue ? '' : `${String(overdue)} looks overdue at one moment`,
    routine.p95AtMostMs <= target.p95Ms ? '' : `looks late by ${String(routine.p95AtMostMs)} ms (p95)`,
    unhealthy === 0 ? '' : `${String(unhealthy)} shards wrongly not thought healthy`,
    times.every(({ diagnosed }) => diagnosed !== undefined) ? '' : 'an exit was not diagnosed',
  ].filter((text) => text !== '');
}

function report(layout: Layout, findings: Findings): void {
  const { agents, nodes, shards } = layout;
  const { firstRound, steady, disturbed, unhealthy, exits: times } = findings;
  const exitTo = {
    look: summary(times.map(({ asked }) => asked)),
    diagnosis: summary(times.map(({ diagnosed }) => diagnosed)),
  };
  const misses = missed(findings);
  console.log(
    `${String(agents)} agents, ${String(nodes)} nodes in ${String(shards)} shards; cpu: percent of one core.\n` +
      'Real: manager, metadata server, signatures, event streams, TLS, logins and statements of every look. Simulated in one\n' +
      'process: agents, and MySQL servers with answers that never change. Not simulated: compute nodes, jobs, clients of the API.',
  );
  const flat = ({ routine, urgent, ...figures }: Measured) => ({
    ...figures,
    routineLooks: routine.looks,
    routineLateP95AtMostMs: routine.p95AtMostMs,
    urgentLooks: urgent.looks,
    urgentLateP95AtMostMs: urgent.p95AtMostMs,
  });
  console.table({ steady: flat(steady), 'while nodes exit': flat(disturbed) });
  console.log(`every shard looked at for the first time after ${String(firstRound)} s`);
  console.log(`shards not thought healthy in the steady window: ${String(unhealthy)}`);
  console.table({ 'from exit to look': exitTo.look, 'from exit to diagnosis': exitTo.diagnosis });
  console.log(misses.length === 0 ? 'the target is met' : `the target is missed: ${misses.join(', ')}`);
  console.log(
    JSON.stringify({
      bench: 'scale',
      agents,
      nodes,
      shards,
      firstRound,
      steady,
      disturbed,
      unhealthy,
      exitTo,
      target: { met: misses.length === 0, misses },
    }),
  );
}
