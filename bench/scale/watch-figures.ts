/** What `/metrics` of a manager says about its watches, at one moment. */
export interface WatchFigures {
  /** Looks by how late they began, of all watches and kinds together by `kind`: upper bound in seconds → count so far. */
  readonly lateness: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Looks that are due, and have been for more than a second, and have not begun. */
  readonly overdue: number;
}

const sample = /^(?<name>\w+)\{(?<labels>[^}]*)\} (?<value>\S+)$/;

export async function readWatchFigures(url: string): Promise<WatchFigures> {
  const response = await fetch(`${url}/metrics`);
  const lateness = new Map<string, Map<number, number>>();
  let overdue = 0;
  for (const line of (await response.text()).split('\n')) {
    const { name, labels = '', value } = sample.exec(line)?.groups ?? {};
    if (name === 'kluster_watch_overdue') overdue += Number(value);
    if (name !== 'kluster_watch_lateness_seconds_bucket') continue;
    const kind = label(labels, 'kind');
    const bound = label(labels, 'le');
    const le = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
    const counts = lateness.get(kind) ?? new Map<number, number>();
    counts.set(le, (counts.get(le) ?? 0) + Number(value));
    lateness.set(kind, counts);
  }
  return { lateness, overdue };
}

const label = (labels: string, name: string): string =>
  new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';

export interface Lateness {
  readonly looks: number;
  /** 95 of 100 looks began no later than so many milliseconds after they were due: the upper bound of a bucket. */
  readonly p95AtMostMs: number;
}

/** Of the looks of one kind that began between two readings. */
export function latenessBetween(before: WatchFigures, after: WatchFigures, kind: string): Lateness {
  const earlier = before.lateness.get(kind);
  const buckets = [...(after.lateness.get(kind) ?? [])]
    .map(([bound, count]) => [bound, count - (earlier?.get(bound) ?? 0)] as const)
    .toSorted(([left], [right]) => left - right);
  const looks = buckets.at(-1)?.[1] ?? 0;
  const [bound] = buckets.find(([, count]) => count >= 0.95 * looks) ?? [Number.NaN];
  return { looks, p95AtMostMs: looks === 0 ? Number.NaN : bound * 1000 };
}
