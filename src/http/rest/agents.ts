import type { FastifyInstance, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { verifyRequest } from '../../core/request-signature.ts';
import { requireLeader } from '../leadership.ts';
import type { ServerOptions } from '../options.ts';
import { agentRegistration, errorResponses } from './schemas.ts';

/** Nonces of accepted requests, until they are too old to be accepted again. */
class SeenNonces {
  private readonly expiry = new Map<string, number>();

  /** False when the nonce was seen before. */
  add(nonce: string, expiresAt: number, now: number): boolean {
    for (const [seen, until] of this.expiry) {
      if (until < now) this.expiry.delete(seen);
    }
    if (this.expiry.has(nonce)) return false;
    this.expiry.set(nonce, expiresAt);
    return true;
  }
}

type AgentRequest = FastifyRequest<{ Body: Type.Static<typeof agentRegistration> }>;

/** `/agents`: an agent tells where it is. Signed with the installation's secret, in place of a token. */
export function addAgentRoutes<Services>(app: FastifyInstance, server: ServerOptions<Services>): void {
  const { agents, leadership } = server;
  const nonces = new SeenNonces();
  const verify = (request: AgentRequest): void => {
    const now = Date.now();
    const signed = {
      method: request.method,
      path: request.url,
      target: request.host,
      body: request.rawBody ?? '',
    };
    const verification = verifyRequest(agents.secret, signed, request.headers, now);
    if (!verification.ok) {
      throw new KlusterError('unauthorized', `The agent's request is not accepted: ${verification.reason}`);
    }
    if (!nonces.add(verification.nonce, verification.expiresAt, now)) {
      throw new KlusterError('unauthorized', "The agent's request is not accepted: it was sent before");
    }
  };
  app.post<{ Body: Type.Static<typeof agentRegistration> }>(
    '/agents',
    {
      config: { public: true },
      schema: {
        tags: ['agents'],
        summary: 'An agent registers its address; signed with the secret of the installation',
        security: [],
        body: agentRegistration,
        response: { 200: Type.Object({ registered: Type.Literal(true) }), ...errorResponses },
      },
    },
    async (request) => {
      verify(request);
      requireLeader(leadership, 'register an agent');
      await agents.register(request.body);
      return { registered: true };
    },
  );
}
