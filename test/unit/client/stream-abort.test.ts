import { createServer, type Server } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test, vi } from 'vitest';
import { AgentClient } from '../../../src/client/agent.ts';
import { ManagerClient } from '../../../src/client/manager.ts';

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
});

/** A server whose streams never end by themselves. */
async function endlessServer(contentType: string, beat: string): Promise<number> {
  const endless = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': contentType });
    response.write(beat);
    const timer = setInterval(() => response.write(beat), 20);
    response.once('close', () => {
      clearInterval(timer);
    });
  });
  server = endless;
  await new Promise<void>((resolve) => endless.listen(0, '127.0.6.1', resolve));
  const address = endless.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
}

/** Follows a stream, collects garbage under way, aborts, waits for its end. A stream that does not end times out. */
async function abortUnderWay(follow: (signal: AbortSignal) => AsyncIterable<unknown>): Promise<void> {
  const abort = new AbortController();
  let seen = 0;
  const following = (async () => {
    for await (const _ of follow(abort.signal)) seen += 1;
  })();
  const untilSeen = (count: number): Promise<void> =>
    vi.waitFor(() => expect(seen).toBeGreaterThanOrEqual(count), { timeout: 8000, interval: 10 });
  await untilSeen(1);
  collectGarbage();
  await untilSeen(seen + 2);
  collectGarbage();
  abort.abort(new Error('enough'));
  await following;
}

test('an event stream of an agent ends when it is aborted, also after a garbage collection', async () => {
  const heartbeat = { type: 'heartbeat', at: '2026-01-01T00:00:00.000Z', cpuBusy: 0, availableMemoryMb: 1 };
  const port = await endlessServer('application/x-ndjson', `${JSON.stringify(heartbeat)}\n`);
  const agent = new AgentClient({ hostaddr: '127.0.6.1', port, secret: 'x'.repeat(32), epoch: () => 1 });
  await expect(abortUnderWay((signal) => agent.events(signal))).resolves.toBeUndefined();
});

test('watching a job ends when it is aborted, also after a garbage collection', async () => {
  const event = { sequence: 1, at: '2026-01-01T00:00:00.000Z', type: 'note' };
  const port = await endlessServer(
    'text/event-stream',
    `id: 1\nevent: note\ndata: ${JSON.stringify(event)}\n\n`,
  );
  const manager = new ManagerClient({ url: `http://127.0.6.1:${String(port)}` });
  await expect(abortUnderWay((signal) => manager.watch(1, { signal }))).resolves.toBeUndefined();
});
