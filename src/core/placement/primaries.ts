/**
 * Chooses one member of each group as its primary so that primaries are spread as evenly as the groups allow: the
 * sorted numbers of primaries per machine are the best possible (optimal semi-matching: starting from any choice,
 * move primaries along chains of groups from a machine to one that has at least two fewer, until no chain is left).
 */
export function choosePrimaries<Member>(
  groups: readonly (readonly Member[])[],
  primariesBefore: (member: Member) => number,
): readonly (Member | undefined)[] {
  const count = new Map<Member, number>();
  for (const member of groups.flat()) count.set(member, primariesBefore(member));
  const load = (member: Member): number => count.get(member) ?? 0;
  const add = (member: Member, change: number): void => void count.set(member, load(member) + change);

  const chosen = groups.map((group) => {
    const primary = leastLoaded(group, load);
    if (primary !== undefined) add(primary, 1);
    return primary;
  });
  for (let chain = findChain(groups, chosen, load); chain !== undefined;) {
    for (const { group, to } of chain) {
      const from = chosen[group];
      if (from !== undefined) add(from, -1);
      add(to, 1);
      chosen[group] = to;
    }
    chain = findChain(groups, chosen, load);
  }
  return chosen;
}

function leastLoaded<Member>(group: readonly Member[], load: (member: Member) => number): Member | undefined {
  return group.toSorted((left, right) => load(left) - load(right))[0];
}

/** One group whose primary moves. */
interface Move<Member> {
  readonly group: number;
  readonly to: Member;
}

/** The moves of the first chain found that takes a primary from one machine to another with at least two fewer. */
function findChain<Member>(
  groups: readonly (readonly Member[])[],
  chosen: readonly (Member | undefined)[],
  load: (member: Member) => number,
): readonly Move<Member>[] | undefined {
  for (const start of new Set(chosen)) {
    if (start === undefined) continue;
    const reachedBy = new Map<Member, readonly Move<Member>[]>([[start, []]]);
    for (const [member, moves] of reachedBy) {
      if (load(start) - load(member) >= 2) return moves;
      for (const move of movesFrom(groups, chosen, member)) {
        if (!reachedBy.has(move.to)) reachedBy.set(move.to, [...moves, move]);
      }
    }
  }
  return undefined;
}

/** Every way to move one primary away from a machine. */
function movesFrom<Member>(
  groups: readonly (readonly Member[])[],
  chosen: readonly (Member | undefined)[],
  from: Member,
): readonly Move<Member>[] {
  return groups.flatMap((members, group) =>
    chosen[group] === from ? members.map((to) => ({ group, to })) : [],
  );
}
