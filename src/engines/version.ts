/** The version that a program prints after `label`, numbers only: `9.7.4` of `Ver 9.7.4-2 for Linux`. */
export function findVersion(printed: string, label: string): string | undefined {
  const start = printed.indexOf(label);
  if (start === -1) return undefined;
  return /^\d+\.\d+(?:\.\d+)?/.exec(printed.slice(start + label.length))?.[0];
}

/** True when `version` is `minimum` or newer; compares number by number, missing numbers count as 0. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = version.split('.').map(Number);
  const need = minimum.split('.').map(Number);
  for (const [index, wanted] of need.entries()) {
    const got = have[index] ?? 0;
    if (got !== wanted) return got > wanted;
  }
  return true;
}
