/** A reason why setup cannot go on, and what an administrator can do about it. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
  readonly advice: string;

  constructor(message: string, advice: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.advice = advice;
  }
}

/** One line of progress. */
export function progress(line: string): void {
  process.stdout.write(`setup: ${line}\n`);
}
