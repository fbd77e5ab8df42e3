/** What happened when, for whoever has to understand a failure. */
export class Timeline {
  readonly #start = Date.now();
  readonly #lines: { readonly at: number; readonly text: string }[] = [];
  readonly #noted = new Map<string, number>();
  readonly #echo: (line: string) => void;

  constructor(echo: (line: string) => void = () => undefined) {
    this.#echo = echo;
  }

  note(text: string, at = Date.now()): void {
    this.#lines.push({ at, text });
    this.#echo(this.#shown({ at, text }));
  }

  /** As `note`, unless much the same was noted three times already. */
  noteSparingly(text: string, at: number): void {
    const essence = text.replaceAll(/\d+/g, '#');
    const count = (this.#noted.get(essence) ?? 0) + 1;
    this.#noted.set(essence, count);
    if (count <= 3) this.note(text, at);
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
