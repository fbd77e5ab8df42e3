import { withDeadline } from '../core/abort.ts';
import { errorText } from '../core/errors/kluster-error.ts';
import { colonAddress, type StorageNode } from '../core/model.ts';
import { withMysqlEach } from '../engines/mysql/connection.ts';
import { closeForWrites, shutOut } from '../engines/mysql/read-only.ts';
import { sessionOf } from './opened-session.ts';
import type { RepairContext } from './repair-context.ts';
import { serviceUsers } from './service-users.ts';

/** Closing ends within two seconds by itself; a server whose disk does not answer may not even let anybody in. */
const closeMs = 3000;
const statementTimeoutMs = 2500;

/**
 * Closes a primary that lives before another node takes its role, so that what it still can commit is among what the
 * replicas have. It need not succeed: the fence keeps the primary from committing just as well.
 * @returns in words how it went
 */
export async function closeFirst(
  context: RepairContext,
  node: StorageNode,
  signal: AbortSignal,
): Promise<string> {
  const { hostaddr, port } = node;
  const address = { hostaddr, port, ...context.account, connectTimeoutMs: 1000, statementTimeoutMs };
  try {
    await withDeadline(closeMs, signal, (bounded) =>
      withMysqlEach([address, address], bounded, async ([first, second]) => {
        const [closing, control] = [sessionOf(first), sessionOf(second)];
        await closeForWrites({ closing, control }, serviceUsers(context.accounts));
        await shutOut(control, serviceUsers(context.accounts));
      }),
    );
    return `${colonAddress(node)} accepts no more writes`;
  } catch (error) {
    signal.throwIfAborted();
    return `${colonAddress(node)} could not be closed, it is fenced by its replicas: ${errorText(error)}`;
  }
}
