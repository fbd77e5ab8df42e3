import type { CatalogFacts } from './facts.ts';

/** What unfinished jobs are changing at this moment: there, the catalog and reality may well differ. */
export class UnderWay {
  readonly #locks: ReadonlySet<string>;
  readonly #incomplete: ReadonlySet<number>;
  readonly #known: ReadonlySet<number>;
  readonly #creating: boolean;

  constructor({ jobs, clusters }: CatalogFacts) {
    this.#locks = new Set(jobs.flatMap(({ locks }) => locks));
    this.#creating = jobs.some(({ jobType }) => jobType === 'create_cluster');
    this.#known = new Set(clusters.map(({ cluster }) => cluster.id));
    this.#incomplete = new Set(clusters.filter(({ complete }) => !complete).map(({ cluster }) => cluster.id));
  }

  /** A create_cluster job holds no lock of its cluster, which may have no row yet or any more. */
  cluster(id: number): boolean {
    if (this.#locks.has(`cluster:${String(id)}`)) return true;
    return this.#creating && (this.#incomplete.has(id) || !this.#known.has(id));
  }

  machine(hostaddr: string): boolean {
    return this.#locks.has(`machine:${hostaddr}`);
  }

  /** By the name of an instance, which tells its cluster. */
  instance(name: string): boolean {
    const [, id] = /^cluster(\d+)-/.exec(name) ?? [];
    return id !== undefined && this.cluster(Number(id));
  }
}
