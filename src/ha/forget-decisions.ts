import type { Catalog } from '../catalog/catalog.ts';
import type { CommitDecision } from '../catalog/commit-log.ts';
import { parseBranchName, type GlobalTransaction } from '../core/global-transaction.ts';
import type { Cluster } from '../core/model.ts';
import { eachShardsBranches } from './branches.ts';

/** Rows of one transaction. */
const pageSize = 500;
const secondsPerDay = 86_400;

const keyOf = ({ compId, number }: GlobalTransaction): string => `${String(compId)} ${String(number)}`;

/**
 * Forgets the decisions to commit of a cluster that are older than `days` and whose transactions have no branch left on any
 * shard; `pages` times 500 at most. Gives how many they were. @throws KlusterError engine_sql while a shard cannot be asked
 */
export async function forgetDecisions(
  catalog: Catalog,
  { id, name }: Pick<Cluster, 'id' | 'name'>,
  { days, pages }: { readonly days: number; readonly pages: number },
  signal: AbortSignal,
): Promise<number> {
  const { commitLog, database } = catalog;
  const isOld = ({ ageSeconds }: CommitDecision): boolean => ageSeconds > days * secondsPerDay;
  let prepared: ReadonlySet<string> | null = null;
  let after = 0n;
  let forgotten = 0;
  for (let page = 0; page < pages; page += 1) {
    const found = await database.read(
      (sql) => commitLog.commitsAfter(sql, name, { after, limit: pageSize }),
      signal,
    );
    const old = found.filter(isOld);
    const last = old.at(-1);
    if (last === undefined) break;
    prepared ??= await preparedTransactions(catalog, id, signal);
    const ended = old.filter(({ transaction }) => prepared?.has(keyOf(transaction)) === false);
    await database.write((sql) => commitLog.forget(sql, name, ended), signal);
    forgotten += ended.length;
    after = last.id;
    if (old.length < found.length) break;
  }
  return forgotten;
}

/** Asked after the decisions were read: a branch that is prepared later belongs to a younger decision. */
async function preparedTransactions(
  catalog: Catalog,
  cluster: Cluster['id'],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const names = await eachShardsBranches(catalog, cluster, (found) => Promise.resolve(found.names), signal);
  return new Set(
    names.flat().flatMap((name) => {
      const transaction = parseBranchName(name);
      return transaction === undefined ? [] : [keyOf(transaction)];
    }),
  );
}
