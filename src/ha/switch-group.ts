import { KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress } from '../core/model.ts';
import { withMysqlEach } from '../engines/mysql/connection.ts';
import { electPrimary, groupMembers } from '../engines/mysql/group.ts';
import { serverUuid } from '../engines/mysql/gtid.ts';
import { sessionOf } from './opened-session.ts';
import { rerouteAll } from './reroute-all.ts';
import type { Switchover, SwitchoverResult } from './switch-over.ts';

/** Transactions that run longer lose their clients. */
const electionSeconds = 1;
const statementTimeoutMs = 20_000;

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
    const session = sessionOf(former);
    const uuid = await serverUuid(sessionOf(successor));
    const began = performance.now();
    await electPrimary(session, uuid, electionSeconds);
    const primary = (await groupMembers(sessionOf(successor))).find((member) => member.primary);
    if (primary?.serverUuid !== uuid) {
      throw new KlusterError(
        'switchover_refused',
        `the group has not made ${colonAddress(target)} its primary but ${primary === undefined ? 'nobody' : colonAddress(primary)}`,
        { code: 70_035 },
      );
    }
    const pauseMs = Math.round(performance.now() - began);
    await catalog.database.write(
      (sql) => catalog.storageNodes.setPrimary(sql, shard.id, target.id, uuid),
      signal,
    );
    at('recorded');
    return { pauseMs, unfinished: await rerouteAll(context, signal) };
  });
}
