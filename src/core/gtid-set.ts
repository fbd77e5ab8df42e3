/**
 * Sets of global transaction identifiers, as `gtid_executed` prints them:
 * `uuid[:tag]:first[-last][:first[-last]…][,…]` (manual 19.1.3.1, with the tags of MySQL 8.3 and later).
 */
interface Interval {
  readonly first: number;
  readonly last: number;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const tagPattern = /^[a-z_][a-z0-9_]{0,31}$/;
const intervalPattern = /^(\d+)(?:-(\d+))?$/;

function parseInterval(text: string, whole: string): Interval {
  const match = intervalPattern.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first < 1 || last < first || !Number.isSafeInteger(last)) {
    throw new RangeError(`not a GTID interval: ${JSON.stringify(text)} in ${JSON.stringify(whole)}`);
  }
  return { first, last };
}

/** Sorted, without overlaps, neighbours joined: the one form that equal sets share. */
function normalise(intervals: readonly Interval[]): readonly Interval[] {
  const result: Interval[] = [];
  for (const interval of intervals.toSorted((left, right) => left.first - right.first)) {
    const previous = result.at(-1);
    if (previous !== undefined && interval.first <= previous.last + 1) {
      result[result.length - 1] = { first: previous.first, last: Math.max(previous.last, interval.last) };
    } else {
      result.push(interval);
    }
  }
  return result;
}

function subtractIntervals(from: readonly Interval[], removed: readonly Interval[]): readonly Interval[] {
  let rest = from;
  for (const hole of removed) {
    rest = rest.flatMap((interval) =>
      [
        { first: interval.first, last: Math.min(interval.last, hole.first - 1) },
        { first: Math.max(interval.first, hole.last + 1), last: interval.last },
      ].filter((piece) => piece.first <= piece.last),
    );
  }
  return rest;
}

export class GtidSet {
  /** By source: `uuid` or `uuid:tag`. */
  private readonly sources: ReadonlyMap<string, readonly Interval[]>;

  private constructor(sources: ReadonlyMap<string, readonly Interval[]>) {
    this.sources = new Map(
      [...sources].filter(([, intervals]) => intervals.length > 0).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  static readonly empty = new GtidSet(new Map());

  /** @throws RangeError when the text is not a GTID set. */
  static parse(text: string): GtidSet {
    const sources = new Map<string, Interval[]>();
    for (const part of text.toLowerCase().replaceAll(/\s/g, '').split(',')) {
      if (part === '') continue;
      const [uuid = '', ...rest] = part.split(':');
      if (!uuidPattern.test(uuid) || rest.length === 0) {
        throw new RangeError(`not a GTID set: ${JSON.stringify(text)}`);
      }
      let source = uuid;
      for (const item of rest) {
        if (tagPattern.test(item)) source = `${uuid}:${item}`;
        else sources.set(source, [...(sources.get(source) ?? []), parseInterval(item, text)]);
      }
    }
    return new GtidSet(new Map([...sources].map(([source, intervals]) => [source, normalise(intervals)])));
  }

  union(other: GtidSet): GtidSet {
    const merged = new Map(this.sources);
    for (const [source, intervals] of other.sources) {
      merged.set(source, normalise([...(merged.get(source) ?? []), ...intervals]));
    }
    return new GtidSet(merged);
  }

  subtract(other: GtidSet): GtidSet {
    const rest = [...this.sources].map(
      ([source, intervals]) =>
        [source, subtractIntervals(intervals, other.sources.get(source) ?? [])] as const,
    );
    return new GtidSet(new Map(rest));
  }

  /** What did not begin at the server with this UUID. */
  notOf(uuid: string): GtidSet {
    const own = uuid.toLowerCase();
    return new GtidSet(
      new Map([...this.sources].filter(([source]) => source !== own && !source.startsWith(`${own}:`))),
    );
  }

  /** What comes from sources that `other` has anything of. */
  ofSourcesIn(other: GtidSet): GtidSet {
    return new GtidSet(new Map([...this.sources].filter(([source]) => other.sources.has(source))));
  }

  contains(other: GtidSet): boolean {
    return other.subtract(this).isEmpty;
  }

  get isEmpty(): boolean {
    return this.sources.size === 0;
  }

  /** Number of transactions. */
  get size(): number {
    return [...this.sources.values()].flat().reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  /** The form in which MySQL reads it; equal sets give equal text. */
  toString(): string {
    return [...this.sources]
      .map(([source, intervals]) => {
        const texts = intervals.map(({ first, last }) =>
          first === last ? String(first) : `${String(first)}-${String(last)}`,
        );
        return `${source}:${texts.join(':')}`;
      })
      .join(',');
  }
}
