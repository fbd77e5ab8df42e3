import { setTimeout as sleep } from 'node:timers/promises';
import { preparedBranches } from '../../../src/engines/mysql/xa.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { withPostgres } from '../../../src/engines/postgres/connection.ts';
import { numberOf, textOf, type SqlAddress } from '../../../src/engines/sql.ts';
import { shardAccounts, type ShardTransfers } from './audit.ts';
import type { ChaosCluster } from './chaos-cluster.ts';

const balance = 100;
/** A branch without an owner is ended after ten seconds; a server that met a full disk looks again only once a minute. */
const branchesEndMs = 90_000;

/** Prepared branches that nobody has ended in that time. */
async function branchesThatStay(primary: SqlAddress): Promise<readonly string[]> {
  const deadline = performance.now() + branchesEndMs;
  for (;;) {
    const left = await withMysql(primary, AbortSignal.timeout(10_000), preparedBranches);
    if (left.length === 0 || performance.now() >= deadline) return left;
    await sleep(500);
  }
}

/** What is wrong with the transfers over both shards: no branch waits any more, and every transfer is on both shards or on none. */
export async function balanced(cluster: ChaosCluster, transfers: ShardTransfers): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const nodes of [cluster.nodes, cluster.otherNodes]) {
    const primary = await cluster.primary(nodes);
    const left = await branchesThatStay(primary);
    if (left.length > 0) broken.push(`IN DOUBT: ${String(left.length)} branches at ${primary.hostaddr}`);
  }
  await withPostgres(cluster.comp, AbortSignal.timeout(30_000), async (session) => {
    const entries = async (ledger: string): Promise<ReadonlySet<string>> =>
      new Set((await session.query(`SELECT id FROM ${ledger}`)).map((row) => textOf(row, 'id')));
    const [first, second] = [await entries('ledger_1'), await entries('ledger_2')];
    const half = [...first, ...second].filter((id) => first.has(id) !== second.has(id));
    if (half.length > 0) broken.push(`HALF COMMITTED: ${half.slice(0, 20).join(', ')}`);
    const lost = [...transfers.acknowledged].filter((id) => !first.has(id));
    if (lost.length > 0)
      broken.push(`LOST: ${lost.slice(0, 20).join(', ')} of ${String(lost.length)} transfers`);
    const [row] = await session.query(
      'SELECT (SELECT sum(balance) FROM bank_1)::int AS one, (SELECT sum(balance) FROM bank_2)::int AS two',
    );
    const [one, two] = row === undefined ? [0, 0] : [numberOf(row, 'one'), numberOf(row, 'two')];
    const all = shardAccounts * balance;
    if (one !== all - first.size || two !== all + first.size)
      broken.push(`MONEY: ${String(one)} and ${String(two)} after ${String(first.size)} transfers`);
  });
  return broken;
}
