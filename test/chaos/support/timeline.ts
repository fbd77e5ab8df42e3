/** What happened when, for whoever has to understand a failure. */
export class Timeline {
  readonly #start = Date.now();
  readonly #lines: { readonly at: number; readonly text: string }[] = [];
  readonly #echo: (line: string) => void;

  constructor(echo: (line: string) => void = () => undefined) {
    this.#echo = echo;
  }

  note(text: string, at = Date.now()): void {
    this.#lines.push({ at, text });
    this.#echo(this.#shown({ at, text }));
  }

  toString(): string {
    return this.#lines
      .toSorted((left, right) => left.at - right.at)
      .map((line) => this.#shown(line))
      .join('\n');
  }

  #shown({ at, text }: { readonly at: number; readonly text: string }): string {
    return `${((at - this.#start) / 1000).toFixed(2).padStart(8)} s  ${text}`;
  }
}
