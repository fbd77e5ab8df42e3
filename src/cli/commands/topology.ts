import type { Command } from 'commander';
import type { ClusterJson, MachineJson } from '../../core/rest-types.ts';
import { connectManager, type CliContext, type GlobalOptions } from '../context.ts';
import { formatTable, type Column } from '../table.ts';
import { printJson, printLine } from '../terminal.ts';

interface ListOptions extends GlobalOptions {
  readonly json?: boolean;
}

export const machineColumns: readonly Column<MachineJson>[] = [
  { title: 'machine', value: (machine) => machine.hostaddr },
  { title: 'roles', value: (machine) => machine.roles.join(',') },
  { title: 'status', value: (machine) => machine.status },
];

const clusterColumns: readonly Column<ClusterJson>[] = [
  { title: 'id', value: (cluster) => cluster.cluster_id },
  { title: 'name', value: (cluster) => cluster.cluster_name },
  { title: 'nick name', value: (cluster) => cluster.nick_name },
  { title: 'mode', value: (cluster) => cluster.ha_mode },
  { title: 'shards', value: (cluster) => cluster.shards.length },
  {
    title: 'nodes',
    value: (cluster) => cluster.shards.reduce((total, shard) => total + shard.nodes.length, 0),
  },
  { title: 'comps', value: (cluster) => cluster.comps.length },
];

/** `kluster machine list`, `kluster cluster list`. */
export function addTopologyCommands(program: Command, context: CliContext): void {
  addListCommand(program, 'machine', 'machines', async (options) => {
    const machines = await (await connectManager(context, options)).machines();
    if (options.json === true) printJson(context.terminal, { machines });
    else printLine(context.terminal, formatTable(machineColumns, machines));
  });
  addListCommand(program, 'cluster', 'clusters', async (options) => {
    const clusters = await (await connectManager(context, options)).clusters();
    if (options.json === true) printJson(context.terminal, { clusters });
    else printLine(context.terminal, formatTable(clusterColumns, clusters));
  });
}

function addListCommand(
  program: Command,
  noun: string,
  plural: string,
  list: (options: ListOptions) => Promise<void>,
): void {
  program
    .command(noun)
    .description(`Look at the ${plural}`)
    .command('list')
    .description(`List the ${plural}`)
    .option('--json', 'print JSON, for programs')
    .action(async (_options: unknown, command: Command) => {
      await list(command.optsWithGlobals());
    });
}
