import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessInstallation } from '../../support/installation-process.ts';
import { endProcess, leftProcesses } from '../../support/leftovers.ts';
import { Random } from './random.ts';

export type Victim = 'agent' | 'engine';

const pollMs = 20;

/** Whenever a step of a job begins to run, kills an agent (and starts it again) or an engine process. */
export class StepKiller {
  readonly #installation: ProcessInstallation;
  readonly #victim: Victim;
  readonly #random: Random;
  readonly #seen = new Set<string>();
  #kills = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(installation: ProcessInstallation, victim: Victim, seed: number) {
    this.#installation = installation;
    this.#victim = victim;
    this.#random = new Random(seed);
  }

  get kills(): number {
    return this.#kills;
  }

  follow(job: number): void {
    this.#running = this.#follow(job);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #follow(job: number): Promise<void> {
    while (!this.#stopped) {
      const { steps, phase } = await this.#installation.client.job(job);
      if (phase === 'ended') return;
      const begun = steps.filter(({ state, path }) => state === 'running' && !this.#seen.has(path));
      for (const { path } of begun) this.#seen.add(path);
      if (begun.length > 0) await this.#kill();
      await sleep(pollMs);
    }
  }

  async #kill(): Promise<void> {
    const { hostaddr, dataDirectory } = this.#random.pick(this.#installation.machines);
    if (this.#victim === 'agent') {
      await this.#installation.killAgent(hostaddr);
      await this.#installation.startAgent(hostaddr);
      this.#kills += 1;
      return;
    }
    const engines = await leftProcesses({ id: dataDirectory, directory: dataDirectory }, 0);
    const found = engines.find(({ command }) => /mysqld\.cnf|postgresql\.conf/.test(command));
    if (found === undefined) return;
    await endProcess(found);
    this.#kills += 1;
  }
}
