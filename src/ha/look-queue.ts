/** How many looks may be under way at the same time. */
export interface LookLimits {
  /** Those that are due of their own accord. */
  readonly routine: number;
  /** Those that cannot wait. They have places of their own, so neither kind waits for the other. */
  readonly urgent: number;
}

export type LookKind = keyof LookLimits;
const lookKinds = ['urgent', 'routine'] as const satisfies readonly LookKind[];

export interface AdmittedLook<Key> {
  readonly key: Key;
  readonly kind: LookKind;
  /** Milliseconds since it was due, or asked for. */
  readonly lateMs: number;
}

export interface NextLook {
  /** Milliseconds from now. */
  readonly inMs: number;
  /** Then it cannot wait. */
  readonly urgent?: boolean;
}

interface Entry {
  /** On the clock of the caller. */
  dueAt: number;
  kind: LookKind;
  running: boolean;
  /** The place that its look takes. */
  place: LookKind | null;
  /** Since when another look is wanted although one is under way: that may have seen what was before. */
  againAt: number | null;
  /** So many want it to be left alone. */
  holds: number;
  /** Not watched any more; its last look has not ended yet. */
  gone: boolean;
}

/**
 * Which of many things is looked at next, so that never too many looks are under way. Of those that cannot wait, and of
 * the others, the one that has waited longest comes first: so none is passed over for ever. Knows no clock: the caller
 * says what time it is, in milliseconds.
 */
export class LookQueue<Key> {
  readonly #limits: LookLimits;
  #share = 1;
  readonly #entries = new Map<Key, Entry>();
  readonly #taken: Record<LookKind, number> = { routine: 0, urgent: 0 };

  constructor(limits: LookLimits) {
    this.#limits = limits;
  }

  /** From now on only this part of the places may be taken, but one of each kind at least. */
  set share(share: number) {
    this.#share = share;
  }

  /** What is watched. */
  keys(): readonly Key[] {
    return [...this.#entries].flatMap(([key, { gone }]) => (gone ? [] : [key]));
  }

  /** Nothing happens when it is watched already. */
  add(key: Key, dueAt: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.gone = false;
      return;
    }
    const idle = { running: false, place: null, againAt: null, holds: 0, gone: false };
    this.#entries.set(key, { dueAt, kind: 'routine', ...idle });
  }

  remove(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry?.running === true) entry.gone = true;
    else this.#entries.delete(key);
  }

  /** Something happened to it: look before all that can wait, also when a look is under way. */
  urge(key: Key, now: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (entry.running) entry.againAt ??= now;
    else if (entry.kind === 'routine' || entry.dueAt > now) {
      entry.kind = 'urgent';
      entry.dueAt = now;
    }
  }

  /** Its next look is due at `dueAt`, or earlier. */
  bringForward(key: Key, dueAt: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.dueAt = Math.min(entry.dueAt, dueAt);
  }

  /** From now on no look at it begins, until `letGo` was called as often. */
  hold(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.holds += 1;
  }

  letGo(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) entry.holds = Math.max(0, entry.holds - 1);
  }

  /** The looks that begin now, at most `count`. The caller says `done` when one has ended. */
  admit(now: number, count: number): readonly AdmittedLook<Key>[] {
    const admitted: AdmittedLook<Key>[] = [];
    for (const kind of lookKinds) {
      const free = Math.min(this.#free(kind), count - admitted.length);
      if (free <= 0) continue;
      const due: (readonly [Key, Entry])[] = [];
      for (const [key, entry] of this.#entries) {
        if (isWaiting(entry, kind) && entry.dueAt <= now) due.push([key, entry]);
      }
      due.sort(([, left], [, right]) => left.dueAt - right.dueAt);
      for (const [key, entry] of due.slice(0, free)) {
        admitted.push({ key, kind, lateMs: now - entry.dueAt });
        Object.assign(entry, { running: true, place: kind });
        this.#taken[kind] += 1;
      }
    }
    return admitted;
  }

  /** The look has seen what there is to see: what it does now takes nobody's place. May be repeated. */
  freePlace(key: Key): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.place === null) return;
    this.#taken[entry.place] -= 1;
    entry.place = null;
  }

  /** The look has ended. */
  done(key: Key, now: number, { inMs, urgent = false }: NextLook): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.freePlace(key);
    if (entry.gone) {
      this.#entries.delete(key);
      return;
    }
    const { againAt } = entry;
    entry.running = false;
    entry.againAt = null;
    entry.kind = urgent || againAt !== null ? 'urgent' : 'routine';
    entry.dueAt = againAt ?? now + inMs;
  }

  /** When `admit` will have something to give, unless something happens before; Infinity: not without that. */
  nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (isWaiting(entry, entry.kind) && this.#free(entry.kind) > 0) next = Math.min(next, entry.dueAt);
    }
    return next;
  }

  /** How many have been due for longer than `graceMs` and are not being looked at. */
  overdue(now: number, graceMs: number): number {
    return [...this.#entries.values()].filter(
      (entry) => isWaiting(entry, entry.kind) && now - entry.dueAt > graceMs,
    ).length;
  }

  #free(kind: LookKind): number {
    return Math.max(1, Math.floor(this.#limits[kind] * this.#share)) - this.#taken[kind];
  }
}

const isWaiting = ({ kind, running, holds }: Entry, wanted: LookKind): boolean =>
  kind === wanted && !running && holds === 0;
