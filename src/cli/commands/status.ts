import type { Command } from 'commander';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import type { ClusterJson, StatusJson } from '../../core/rest-types.ts';
import { unlessForbidden } from '../../manager/json-file.ts';
import { readLiveProcess } from '../../manager/process-file.ts';
import { readMetadataCredentials } from '../../manager/secrets.ts';
import { connectManager, homeOf, managerAddress, type CliContext, type GlobalOptions } from '../context.ts';
import { formatTable, printable } from '../table.ts';
import { printJson, printLine } from '../terminal.ts';
import { machineColumns } from './topology.ts';

interface StatusOptions extends GlobalOptions {
  readonly json?: boolean;
}

/** `kluster status`: everything that runs. Exit code 3, with what is known, when the manager is down. */
export function addStatusCommand(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('Show the manager, the metadata servers, machines, clusters and their nodes')
    .option('--json', 'print JSON, for programs')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      try {
        const status = await (await connectManager(context, options)).status();
        if (options.json === true) printJson(context.terminal, status);
        else printLine(context.terminal, describeStatus(status));
      } catch (error) {
        const down = error instanceof KlusterError && error.kind === 'manager_unreachable';
        if (down && options.json === true)
          printJson(context.terminal, await knownWithoutManager(context, options));
        throw error;
      }
    });
}

/** The same shape, filled from the home's files. */
async function knownWithoutManager(context: CliContext, options: GlobalOptions): Promise<StatusJson> {
  const { url } = await managerAddress(context, options);
  const home = homeOf(context, options);
  const manager = await unlessForbidden(readLiveProcess(home.managerPidFile));
  const metadata = await unlessForbidden(readMetadataCredentials(home));
  return {
    manager: { url, pid: manager?.pid ?? null, leader: false },
    metadata: {
      mode: 'unknown',
      nodes: (metadata?.nodes ?? []).map(({ hostaddr, port }) => ({
        hostaddr,
        port,
        role: 'source',
        pid: null,
      })),
    },
    machines: [],
    clusters: [],
  };
}

function describeStatus(status: StatusJson): string {
  const { manager, metadata, machines, clusters } = status;
  return [
    `manager   ${manager.url}  pid ${String(manager.pid)}  ${manager.leader ? 'leader' : 'not the leader'}`,
    `metadata  ${metadata.mode}`,
    formatTable(
      [
        { title: 'metadata server', value: (node) => `${node.hostaddr}:${String(node.port)}` },
        { title: 'role', value: (node) => node.role },
        { title: 'pid', value: (node) => node.pid },
      ],
      metadata.nodes,
    ),
    '',
    formatTable(machineColumns, machines),
    ...clusters.flatMap((cluster) => ['', describeCluster(cluster)]),
  ].join('\n');
}

function describeCluster(cluster: ClusterJson): string {
  const nodes = [
    ...cluster.shards.flatMap((shard) =>
      shard.nodes.map((node) => ({
        ...node,
        id: node.node_id,
        part: `${shard.shard_name} (${String(shard.shard_id)})`,
      })),
    ),
    ...cluster.comps.map((comp) => ({ ...comp, id: comp.comp_id, part: comp.comp_name, role: 'compute' })),
  ];
  const head = `cluster ${String(cluster.cluster_id)}  ${cluster.nick_name}  ${cluster.cluster_name}  ${cluster.ha_mode}`;
  const table = formatTable(
    [
      { title: 'part', value: (node) => node.part },
      { title: 'id', value: (node) => node.id },
      { title: 'address', value: (node) => `${node.hostaddr}:${String(node.port)}` },
      { title: 'role', value: (node) => node.role },
      { title: 'status', value: (node) => node.status },
      { title: 'pid', value: (node) => node.pid },
    ],
    nodes,
  );
  const words = cluster.shards
    .filter(({ state }) => state !== null && state !== 'healthy')
    .map(({ shard_name: name, state, reason }) => printable(`${name}: ${state ?? ''}: ${reason ?? ''}`));
  return [printable(head), table, ...words].join('\n');
}
