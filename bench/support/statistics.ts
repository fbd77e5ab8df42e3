/** Of an even number of values the higher of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The smallest value that so many percent of all do not exceed; NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

export function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Median and range of milliseconds, shown in seconds: `5.12 (4.80–5.91)`. */
export function secondsWithRange(milliseconds: readonly number[]): string {
  if (milliseconds.length === 0) return '–';
  const shown = (value: number): string => (value / 1000).toFixed(2);
  const [low, high] = [Math.min(...milliseconds), Math.max(...milliseconds)];
  return `${shown(median(milliseconds))} (${shown(low)}–${shown(high)})`;
}
