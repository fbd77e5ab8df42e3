import { KlusterError } from '../../core/errors/kluster-error.ts';
import { groupBy } from '../../core/group-by.ts';
import type { Machine } from '../../core/model.ts';
import type { Services } from '../../jobs/services.ts';
import type { AgentFacts } from './facts.ts';
import { severally } from './severally.ts';

const deadlineMs = 4000;

function baseDirectories({ datadir, logdir, walLogDir, compDatadir }: Machine): readonly string[] {
  return [...datadir, ...logdir, ...walLogDir, ...compDatadir];
}

async function ask(
  { agents }: Services,
  machines: readonly [Machine, ...Machine[]],
  signal: AbortSignal,
): Promise<AgentFacts> {
  const [{ hostaddr, agentPort }] = machines;
  const agent = agents.at({ hostaddr, port: agentPort });
  const options = { signal, deadlineMs };
  try {
    const paths = [...new Set(machines.flatMap((machine) => baseDirectories(machine)))];
    // Strays first: what becomes an instance in between is none.
    const strays = await agent.strays(paths, options);
    const instances = await agent.instances(options);
    return { hostaddr, answer: { instances, strays }, failure: null, obeysAnother: false };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof KlusterError)) throw error;
    return { hostaddr, answer: null, failure: error.message, obeysAnother: error.kind === 'stale_epoch' };
  }
}

/** What every machine's agent says of its instances, and of what nobody owns. */
export function gatherAgents(
  services: Services,
  machines: readonly Machine[],
  signal: AbortSignal,
): Promise<readonly AgentFacts[]> {
  const byHost = [...groupBy(machines, ({ hostaddr }) => hostaddr).values()];
  return severally(byHost, async ([first, ...others]) => {
    if (first === undefined) throw new RangeError('a host without a machine');
    return ask(services, [first, ...others], signal);
  });
}
