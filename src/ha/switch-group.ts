import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { withMysqlEach } from '../engines/mysql/connection.ts';
import { electPrimary, groupMembers } from '../engines/mysql/group.ts';
import { serverUuid } from '../engines/mysql/gtid.ts';
import type { SqlSession } from '../engines/sql.ts';
import { sessionOf } from './opened-session.ts';
import { PhaseClock } from './phase-clock.ts';
import { Rerouting } from './rerouting.ts';
import type { Switchover, SwitchoverResult } from './switch-over.ts';

/** Transactions that run longer lose their clients. */
const electionSeconds = 1;
const statementTimeoutMs = 20_000;
const rerouteMs = 2000;

/**
 * Lets the group of an mgr shard make another member its primary, records that, and re-routes the compute nodes. The group
 * decides; a crash at any place leaves a primary that the health loop finds and records.
 */
export async function switchGroup(
  { context, old, target, at }: Switchover,
  signal: AbortSignal,
): Promise<SwitchoverResult> {
  const { account, catalog, shard } = context;
  const address = { ...account, statementTimeoutMs };
  const addresses = [old, target].map(({ hostaddr, port }) => ({ hostaddr, port, ...address }));
  return withMysqlEach(addresses, signal, async ([former, successor]) => {
    const rerouting = new Rerouting(context, signal);
    try {
      await rerouting.ready();
      const clock = new PhaseClock();
      const uuid = await serverUuid(sessionOf(successor));
      clock.start();
      await electPrimary(sessionOf(former), uuid, electionSeconds);
      clock.mark('elected');
      await requireElected(sessionOf(successor), target, uuid);
      await catalog.database.write(
        (sql) => catalog.storageNodes.setPrimary(sql, shard.id, target.id, uuid),
        signal,
      );
      at('recorded');
      clock.mark('recorded');
      const { failed } = await rerouting.reroute(Promise.resolve(), rerouteMs);
      clock.mark('re-routed');
      return { pauseMs: clock.msUntil(['re-routed']), phases: clock.text(), unfinished: failed };
    } finally {
      rerouting.close();
    }
  });
}

async function requireElected(session: SqlSession, target: StorageNode, uuid: string): Promise<void> {
  const primary = (await groupMembers(session)).find((member) => member.primary);
  if (primary?.serverUuid === uuid) return;
  throw new KlusterError(
    'switchover_refused',
    `the group has not made ${colonAddress(target)} its primary but ${primary === undefined ? 'nobody' : colonAddress(primary)}`,
    { code: 70_035 },
  );
}
