import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { AgentClient } from '../../../src/client/agent.ts';
import { ManagerClient } from '../../../src/client/manager.ts';

/** Takes requests and never answers, as a frozen process does. */
async function silentServer(): Promise<number> {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.21.2', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

test('an agent that does not answer in time is unreachable', async () => {
  const port = await silentServer();
  const agent = new AgentClient({ hostaddr: '127.0.21.2', port, secret: 'x'.repeat(32), epoch: () => 1 });
  await expect(agent.health({ deadlineMs: 50 })).rejects.toMatchObject({ kind: 'agent_unreachable' });
});

test('a manager that does not answer in time is unreachable', async () => {
  const port = await silentServer();
  const manager = new ManagerClient({ url: `http://127.0.21.2:${String(port)}`, deadlineMs: 50 });
  await expect(manager.status()).rejects.toMatchObject({ kind: 'manager_unreachable' });
});
