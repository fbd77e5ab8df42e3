import { readFileSync } from 'node:fs';

/** Names the file that holds by how many milliseconds the clock of this process has been set. */
export const clockVariable = 'KLUSTER_TEST_CLOCK';

/**
 * Lets tests set the clock of one process: `Date` is ahead by what the file says, which is read now and at each SIGUSR2. The
 * monotonic clock and timers go on, as they do when somebody sets the clock of a machine.
 */
export function obeyClock(environment: NodeJS.ProcessEnv): void {
  const file = environment[clockVariable];
  if (file === undefined) return;
  const Original = Date;
  const present = Original.now.bind(Original);
  let ahead = 0;
  const read = (): void => {
    ahead = Number(readFileSync(file, 'utf8'));
  };
  class SteppedDate extends Original {
    constructor(...parts: readonly [] | readonly [string | number | Date]) {
      super(parts.length === 0 ? present() + ahead : parts[0]);
    }

    static override now(): number {
      return present() + ahead;
    }
  }
  read();
  process.on('SIGUSR2', read);
  Object.defineProperty(globalThis, 'Date', { value: SteppedDate });
}
