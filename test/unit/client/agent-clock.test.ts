import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { AgentClient } from '../../../src/client/agent.ts';
import { verifyRequest } from '../../../src/core/request-signature.ts';

const secret = 'secret-of-this-test';
const hour = 3_600_000;

/** An agent whose clock can be set; it checks signatures and knows no instances. */
class ClockedAgent {
  aheadMs = 0;
  requests = 0;
  /** Whoever sits in between may say what it likes. */
  lies = false;
  readonly server: Server;
  port = 0;

  constructor() {
    this.server = createServer((request, response) => {
      this.requests += 1;
      const { method = '', url = '', headers } = request;
      const target = `127.0.0.1:${String(this.port)}`;
      const signed = { method, path: url, target, body: '' };
      const verified = verifyRequest(secret, signed, headers, Date.now() + this.aheadMs);
      if (verified.ok) {
        response.end(JSON.stringify({ instances: [] }));
        return;
      }
      const clock = this.lies ? { 'x-kluster-clock': '1', 'x-kluster-clock-proof': 'x' } : verified.clock;
      response
        .writeHead(401, { ...clock })
        .end(JSON.stringify({ error: { kind: 'unauthorized', message: verified.reason } }));
    });
  }

  async start(): Promise<AgentClient> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const bound = this.server.address();
    if (typeof bound === 'object' && bound !== null) this.port = bound.port;
    return new AgentClient({ hostaddr: '127.0.0.1', port: this.port, secret, epoch: () => 1 });
  }
}

describe('a manager and an agent with different clocks', () => {
  const agents: ClockedAgent[] = [];
  afterEach(() => {
    for (const { server } of agents.splice(0)) server.close();
  });
  async function agent(): Promise<{ readonly agent: ClockedAgent; readonly client: AgentClient }> {
    const made = new ClockedAgent();
    agents.push(made);
    return { agent: made, client: await made.start() };
  }

  it.for([hour, -hour, 24 * 365 * hour])('understand each other after a step of %d ms', async (step) => {
    const { agent: server, client } = await agent();
    expect(await client.instances()).toEqual([]);
    server.aheadMs = step;
    expect(await client.instances()).toEqual([]);
    expect(server.requests).toBe(3);
    // From then on at once, until a clock is set again.
    expect(await client.instances()).toEqual([]);
    expect(server.requests).toBe(4);
    server.aheadMs = 0;
    expect(await client.instances()).toEqual([]);
  });

  it('are not brought together by somebody else', async () => {
    const { agent: server, client } = await agent();
    server.aheadMs = hour;
    server.lies = true;
    await expect(client.instances()).rejects.toThrow('set the clocks');
    expect(server.requests).toBe(1);
  });
});
