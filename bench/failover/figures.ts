import { percentile, rounded } from '../support/statistics.ts';

/** What the two clients of one round saw. */
export interface Round {
  readonly scenario: string;
  readonly round: number;
  /** Milliseconds without an acknowledged write, of the client of a compute node and of the one that asks the servers itself. */
  readonly compute: number | null;
  readonly direct: number;
  /** Acknowledged rows that were gone afterwards. */
  readonly lost: number;
  /** Sessions with the compute node in which a statement had no answer at all. */
  readonly hung: number;
  /** Sessions with the compute node that it ended. */
  readonly broken: number;
  /** Statements of the session with the compute node that ended with an error. */
  readonly failed: number;
  /** Of the machine, over the last minute. */
  readonly load: number;
}

const toleratedFailures = 2;

/** Keeps the rounds. Each is printed as a line of JSON as it ends, so that a run that is broken off has its figures too. */
export class Figures {
  readonly #rounds: Round[] = [];
  readonly #unfinished: string[] = [];
  #lostInTheEnd = 0;

  add(round: Round): void {
    this.#rounds.push(round);
    console.log(JSON.stringify({ bench: 'failover', ...round }));
  }

  /** A round without figures. @throws the error, when it is one too many */
  addUnfinished(scenario: string, error: unknown): void {
    console.error(`${scenario}: a round could not be measured:`, error);
    this.#unfinished.push(scenario);
    if (this.#unfinished.length > toleratedFailures) throw error;
  }

  /** Acknowledged rows of all rounds that are gone in the end. */
  addLostInTheEnd(rows: number): void {
    this.#lostInTheEnd += rows;
  }

  /** Prints percentiles by scenario, then the same as the last line of JSON. */
  report(): void {
    const names = [...new Set(this.#rounds.map(({ scenario }) => scenario))];
    const table = Object.fromEntries(names.flatMap((name) => this.#rowsOf(name)));
    console.log('write outage in milliseconds; lost: acknowledged rows that are gone');
    console.table(table);
    const ending = { lostInTheEnd: this.#lostInTheEnd, unfinished: this.#unfinished };
    console.log(JSON.stringify({ bench: 'failover', figures: table, ...ending }));
  }

  #rowsOf(name: string) {
    const rounds = this.#rounds.filter(({ scenario }) => scenario === name);
    const sum = (count: (round: Round) => number): number =>
      rounds.reduce((total, round) => total + count(round), 0);
    const lost = sum((round) => round.lost);
    const direct = { ...summary(rounds.map((round) => round.direct)), lost };
    const measured = rounds.flatMap(({ compute }) => (compute === null ? [] : [compute]));
    if (measured.length === 0) return [[`${name}, directly`, direct] as const];
    const sessions = {
      hung: sum(({ hung }) => hung),
      broken: sum(({ broken }) => broken),
      failed: sum(({ failed }) => failed),
    };
    return [
      [`${name}, through a compute node`, { ...summary(measured), lost, ...sessions }] as const,
      [`${name}, directly`, direct] as const,
    ];
  }
}

function summary(milliseconds: readonly number[]) {
  const at = (percent: number): number => rounded(percentile(milliseconds, percent), 0);
  return { rounds: milliseconds.length, p50: at(50), p95: at(95), max: at(100) };
}
