import { basename, dirname } from 'node:path';
import type { InstanceView } from '../../core/agent-protocol.ts';
import { groupBy } from '../../core/group-by.ts';
import { colonAddress, type NodeStatus } from '../../core/model.ts';
import type { AgentFacts, Facts } from './facts.ts';
import { finding, type Finding } from './findings.ts';
import type { UnderWay } from './under-way.ts';

/** A node of the catalog with the agent that should know its instance. */
interface Expected {
  readonly instanceId: string;
  readonly hostaddr: string;
  readonly port: number;
  readonly status: NodeStatus;
}

function expectedInstances({ catalog, shards }: Facts): readonly Expected[] {
  const comps = catalog.clusters.flatMap((cluster) => cluster.comps);
  const nodes = shards.flatMap((shard) => shard.nodes.map(({ node }) => node));
  return [...nodes, ...comps];
}

function isRunning({ state, pid }: InstanceView): boolean {
  return pid !== null && (state === 'running' || state === 'starting');
}

function compareInstance(expected: Expected, view: InstanceView): readonly Finding[] {
  const where = `${expected.instanceId} on ${expected.hostaddr}`;
  const findings: Finding[] = [];
  if (view.hostaddr !== expected.hostaddr || view.port !== expected.port) {
    const why = `the catalog has it at ${colonAddress(expected)}, it serves at ${colonAddress(view)}`;
    findings.push(finding('instance_elsewhere', where, why));
  }
  const stopped = expected.status === 'manual_stop';
  if (stopped && (isRunning(view) || view.desired === 'running')) {
    const why = `the catalog says manual_stop, its agent says ${view.state}, kept ${view.desired}`;
    findings.push(finding('instance_running', where, why));
  }
  if (expected.status === 'active' && !isRunning(view)) {
    const exit = view.lastExit === null ? '' : `, last exit ${view.lastExit.at}: ${view.lastExit.reason}`;
    const why = `the catalog says active, its agent says ${view.state}${exit}`;
    findings.push(finding('instance_not_running', where, why));
  }
  findings.push(...diskFindings(where, view));
  return findings;
}

function diskFindings(where: string, { disk }: InstanceView): readonly Finding[] {
  switch (disk?.state) {
    case 'full':
      return [finding('disk_full', where, `${String(disk.availableMb ?? 0)} MiB are left for its server`)];
    case 'frozen':
    case 'failing':
      return [finding('disk_frozen', where, disk.reason ?? disk.state)];
    case 'room':
    case 'low':
    case undefined:
      return [];
  }
}

function missingOrDifferent(facts: Facts, underWay: UnderWay): readonly Finding[] {
  const reports = new Map(facts.agents.map((agent) => [agent.hostaddr, agent.answer]));
  return expectedInstances(facts).flatMap((expected) => {
    const report = reports.get(expected.hostaddr);
    if (report === undefined || report === null || underWay.instance(expected.instanceId)) return [];
    const view = report.instances.find(({ instanceId }) => instanceId === expected.instanceId);
    if (view !== undefined) return compareInstance(expected, view);
    const where = `${expected.instanceId} on ${expected.hostaddr}`;
    return [finding('instance_missing', where, 'the catalog has it, its agent does not know it')];
  });
}

/** Also what waits for its removal is known: that is a finding of its own. */
function unknownInstances(facts: Facts, underWay: UnderWay): readonly Finding[] {
  const { instances, pendingRemovals } = facts.catalog;
  const known = new Set(
    [...instances, ...pendingRemovals].map(({ instanceId, hostaddr }) => `${instanceId} ${hostaddr}`),
  );
  return facts.agents.flatMap(({ hostaddr, answer }) =>
    (answer?.instances ?? [])
      .filter(({ instanceId }) => !known.has(`${instanceId} ${hostaddr}`) && !underWay.instance(instanceId))
      .map(({ instanceId, state, pid }) => {
        const process = pid === null ? 'without a process' : `pid ${String(pid)}`;
        const why = `its agent has it (${state}, ${process}), the catalog does not`;
        return finding('instance_unknown', `${instanceId} on ${hostaddr}`, why);
      }),
  );
}

/** Agents may share a base directory: what another one owns is no stray. */
function strays(facts: Facts, underWay: UnderWay): readonly Finding[] {
  const owned = new Set(
    facts.agents.flatMap(({ answer }) =>
      (answer?.instances ?? []).map(({ datadir, instanceId }) => `${dirname(datadir)} ${instanceId}`),
    ),
  );
  const isOwned = (directory: string): boolean => {
    const name = instanceOf(directory);
    return owned.has(`${dirname(directory)} ${name}`) || underWay.instance(name);
  };
  return facts.agents.flatMap(({ hostaddr, answer }) => {
    const where = `machine ${hostaddr}`;
    const { directories, processes } = answer?.strays ?? { directories: [], processes: [] };
    const byDirectory = groupBy(processes, ({ directory }) => directory);
    return [
      ...directories
        .filter((directory) => !isOwned(directory))
        .map((directory) =>
          finding(
            'directory_left',
            where,
            `${directory} was made for an instance that its agent does not know`,
          ),
        ),
      ...[...byDirectory]
        .filter(([directory]) => !isOwned(directory))
        .map(([directory, found]) => {
          const pids = found.map(({ pid }) => String(pid)).join(', ');
          return finding('process_left', where, `pid ${pids} uses ${directory}, which no instance owns`);
        }),
    ];
  });
}

/** While it is made or removed, a directory is called `.<instance>.<token>`. */
function instanceOf(directory: string): string {
  const name = basename(directory);
  return /^\.(.+)\.[0-9a-f-]{36}$/.exec(name)?.[1] ?? name;
}

function obeyed(agents: readonly AgentFacts[]): readonly Finding[] {
  return agents
    .filter(({ obeysAnother }) => obeysAnother)
    .map(({ hostaddr, failure }) => finding('agent_obeys_another', `machine ${hostaddr}`, failure ?? ''));
}

/** Processes, directories and instances of the machines against the catalog. */
export function compareAgents(facts: Facts, underWay: UnderWay): readonly Finding[] {
  return [
    ...obeyed(facts.agents),
    ...missingOrDifferent(facts, underWay),
    ...unknownInstances(facts, underWay),
    ...strays(facts, underWay),
  ];
}
