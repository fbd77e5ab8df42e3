import { withDeadline } from '../core/abort.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { HostPort } from '../core/model.ts';
import { signRequest } from '../core/request-signature.ts';

export interface AgentRegistration {
  /** URL of a manager. */
  readonly manager: string;
  /** The installation's secret. */
  readonly secret: string;
  /** Where managers reach the agent. */
  readonly agent: HostPort;
}

const path = '/api/v1/agents';
const deadlineMs = 5000;
const firstEpoch = 1;

/**
 * Tells a manager where an agent is. Throws `manager_unreachable` when it does not answer or is not the leader, and
 * `unauthorized` when it has another secret.
 */
export async function registerAgent(registration: AgentRegistration, signal: AbortSignal): Promise<void> {
  const url = new URL(path, registration.manager);
  const { hostaddr, port } = registration.agent;
  const body = JSON.stringify({ hostaddr, port });
  // An agent acts under no epoch, but the signature has a place for one.
  const signature = signRequest(
    registration.secret,
    { method: 'POST', path, target: url.host, body },
    firstEpoch,
  );
  let response: Response;
  let text: string;
  try {
    ({ response, text } = await withDeadline(deadlineMs, signal, async (bounded) => {
      const headers = { ...signature, 'content-type': 'application/json' };
      const reply = await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal: bounded });
      return { response: reply, text: await reply.text() };
    }));
  } catch (error) {
    signal.throwIfAborted();
    throw new KlusterError('manager_unreachable', `The manager at ${url.origin}: ${errorText(error)}`);
  }
  if (response.ok) return;
  const kind = response.status === 401 ? 'unauthorized' : 'manager_unreachable';
  throw new KlusterError(kind, `The manager at ${url.origin} answered ${String(response.status)}: ${text}`);
}
