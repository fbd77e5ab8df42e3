/**
 * Splits the nodes to be rebuilt: first one, which copies from a node that serves; then as many at a time as the shard
 * can do without. `spare`: replicas whose absence leaves enough to acknowledge commits, or enough members to elect.
 */
export function rebuildWaves<Node>(nodes: readonly Node[], spare: number): readonly (readonly Node[])[] {
  const [first, ...others] = nodes;
  if (first === undefined) return [];
  const size = Math.max(1, spare);
  const waves: (readonly Node[])[] = [[first]];
  for (let start = 0; start < others.length; start += size) waves.push(others.slice(start, start + size));
  return waves;
}
