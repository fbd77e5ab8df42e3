import { join } from 'node:path';
import type { ProcessInstallation } from '../../support/installation-process.ts';
import { endProcess, leftProcesses, type LeftProcess } from '../../support/leftovers.ts';
import type { Random } from './random.ts';

/** What is killed besides the manager: the agent or an engine of the machine that a step works on, the metadata server. */
export type Other = 'agent' | 'engine' | 'metadata';

/** Kills what a step of a job needs, or, when that cannot be told, something of that kind. */
export class StepKiller {
  readonly #installation: ProcessInstallation;
  readonly #random: Random;
  /** Agents that are being started again, by their machine. */
  readonly #returning = new Map<string, Promise<void>>();

  constructor(installation: ProcessInstallation, random: Random) {
    this.#installation = installation;
    this.#random = random;
  }

  async kill(victim: Other, title: string | undefined): Promise<void> {
    switch (victim) {
      case 'agent':
        return this.#killAgent(this.#machine(title).hostaddr);
      case 'engine':
        return this.#killEngine(title);
      case 'metadata':
        return endAll(await enginesBelow(join(this.#installation.home.metadataDirectory, 'data')));
    }
  }

  /** Resolves when everybody who was killed by this is back. @throws Error when somebody does not come back */
  async settled(): Promise<void> {
    const ends = await Promise.allSettled(this.#returning.values());
    this.#returning.clear();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #machine(title: string | undefined) {
    const { machines } = this.#installation;
    return machines.find(({ hostaddr }) => title?.includes(hostaddr) === true) ?? this.#random.pick(machines);
  }

  /** It is back as soon as it can, but the manager meets its absence. */
  async #killAgent(hostaddr: string): Promise<void> {
    await this.#returning.get(hostaddr);
    await this.#installation.killAgent(hostaddr);
    const returning = this.#installation.startAgent(hostaddr);
    // Whoever waits for it is told; nobody may be waiting yet.
    returning.catch(() => undefined);
    this.#returning.set(hostaddr, returning);
  }

  /** The one that the title names; else the newest on the machine that it names, which the job has made as a rule. */
  async #killEngine(title = ''): Promise<void> {
    const engines = (
      await Promise.all(this.#installation.machines.map(({ dataDirectory }) => enginesBelow(dataDirectory)))
    ).flat();
    if (engines.length === 0) return;
    const { hostaddr, dataDirectory } = this.#machine(title);
    const named = engines.find(({ command }) => isNamed(command, title));
    const here = engines.filter(({ command }) => command.includes(`${dataDirectory}/`)).toSorted(newestFirst);
    const chosen = named ?? (title.includes(hostaddr) ? here[0] : undefined) ?? this.#random.pick(engines);
    await endProcess(chosen);
  }
}

const newestFirst = (left: LeftProcess, right: LeftProcess): number =>
  Number(right.startTime) - Number(left.startTime);

/** Titles name instances as their directories are named. */
function isNamed(command: string, title: string): boolean {
  return title.split(/[\s,]+/).some((word) => word.includes('-') && command.includes(`/${word}/`));
}

async function enginesBelow(directory: string): Promise<readonly LeftProcess[]> {
  const processes = await leftProcesses({ id: directory, directory }, 0);
  return processes.filter(({ command }) => /mysqld\.cnf|postgresql\.conf|--defaults-file/.test(command));
}

async function endAll(engines: readonly LeftProcess[]): Promise<void> {
  for (const engine of engines) await endProcess(engine);
}
