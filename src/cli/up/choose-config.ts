import { generatePassword } from '../../core/seal.ts';
import { startRefusal } from '../../http/access.ts';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { portRangeText } from '../../catalog/machines.ts';
import { defaultPortRanges, requestedRange } from '../../missions/machine/port-range.ts';
import { defaultPorts, readHomeConfig, writeHomeConfig, type HomeConfig } from '../../manager/home-config.ts';
import type { Home } from '../../manager/home.ts';
import { readLiveProcess } from '../../manager/process-file.ts';
import { freePort, freeRange } from '../free-port.ts';

/** What `kluster up` may be told; everything has a default. */
export interface ChosenByUser {
  readonly hostaddr?: string;
  readonly bind?: string;
  readonly port?: number;
  readonly agentPort?: number;
}

/**
 * The configuration with ports that are free, stored. A port that another program holds is replaced by the next free
 * one, and `say` tells so; a port of a server of this home that runs is left alone.
 */
export async function chooseConfig(
  home: Home,
  user: ChosenByUser,
  say: (text: string) => void,
): Promise<HomeConfig> {
  const stored = await readHomeConfig(home);
  if (stored !== undefined) refuseChange(home, stored, user);
  const before: Partial<HomeConfig> = stored ?? {};
  const hostaddr = before.hostaddr ?? user.hostaddr ?? '127.0.0.1';
  const bind = before.bind ?? user.bind ?? hostaddr;
  const managerRuns = (await readLiveProcess(home.managerPidFile)) !== undefined;
  const agentRuns = (await readLiveProcess(home.agentPidFile)) !== undefined;

  const wantedPort = before.port ?? user.port ?? defaultPorts.manager;
  const port = managerRuns ? wantedPort : await freePort(bind, wantedPort);
  const wantedAgentPort = before.agentPort ?? user.agentPort ?? defaultPorts.agent;
  const agentPort = agentRuns ? wantedAgentPort : await freePort(hostaddr, wantedAgentPort, new Set([port]));
  tellMoved('manager', wantedPort, port, say);
  tellMoved('agent', wantedAgentPort, agentPort, say);

  const chosen: HomeConfig = {
    // Others can reach this address: a token, for the owner to hand out, keeps them from controlling the clusters.
    tokens: startRefusal({ bind }) === undefined ? [] : [{ name: 'operator', token: generatePassword(32) }],
    ...before,
    hostaddr,
    bind,
    port,
    agentPort,
    metadataPort:
      before.metadataPort ?? (await freePort(hostaddr, defaultPorts.metadata, new Set([port, agentPort]))),
    storagePorts: before.storagePorts ?? (await rangeText(hostaddr, 'storage')),
    computerPorts: before.computerPorts ?? (await rangeText(hostaddr, 'computer')),
  };
  if (JSON.stringify(chosen) !== JSON.stringify(stored)) await writeHomeConfig(home, chosen);
  return chosen;
}

async function rangeText(hostaddr: string, type: 'storage' | 'computer'): Promise<string> {
  return portRangeText(await freeRange(hostaddr, defaultPortRanges[type]));
}

function tellMoved(server: string, wanted: number, got: number, say: (text: string) => void): void {
  if (wanted !== got) say(`port ${String(wanted)} is taken: the ${server} uses ${String(got)}`);
}

/** The address of a machine stands in the catalog: another one is another installation. */
function refuseChange(home: Home, stored: HomeConfig, user: ChosenByUser): void {
  const change = (['hostaddr', 'bind', 'port', 'agentPort'] as const).find(
    (key) => user[key] !== undefined && user[key] !== stored[key],
  );
  if (change === undefined) return;
  throw new KlusterError(
    'configuration',
    `${home.configFile} has ${change} ${JSON.stringify(stored[change])}; ` +
      `to use ${JSON.stringify(user[change])}, edit the file while the servers are down, or use another home`,
  );
}

/** The ranges of a configuration, whose text the schema has checked. */
export function portRanges(config: HomeConfig): Readonly<Record<'storage' | 'computer', string>> {
  return {
    storage: portRangeText(requestedRange(config.storagePorts, 'storage')),
    computer: portRangeText(requestedRange(config.computerPorts, 'computer')),
  };
}
