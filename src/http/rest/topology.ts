import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { StatusJson } from '../../core/rest-types.ts';
import { callerGone } from '../caller-gone.ts';
import type { ServerOptions } from '../options.ts';
import * as schemas from './schemas.ts';

const tags = ['topology'];
const errors = schemas.errorResponses;
const nameParams = Type.Object({
  name: Type.String({
    maxLength: 255,
    description: 'cluster id, name, or a nick name that only one cluster has',
  }),
});

/** `/machines`, `/clusters`, `/status`: what exists and how it is. */
export function addTopologyRoutes<Services>(app: FastifyInstance, server: ServerOptions<Services>): void {
  const { topology, leadership } = server;
  app.get(
    '/machines',
    {
      schema: {
        tags,
        summary: 'List the machines',
        response: { 200: Type.Object({ machines: Type.Array(schemas.machine) }), ...errors },
      },
    },
    async (_request, reply) => ({ machines: await topology.machines(callerGone(reply)) }),
  );
  app.get(
    '/clusters',
    {
      schema: {
        tags,
        summary: 'List the clusters with their nodes',
        response: { 200: Type.Object({ clusters: Type.Array(schemas.cluster) }), ...errors },
      },
    },
    async (_request, reply) => ({ clusters: await topology.clusters(callerGone(reply)) }),
  );
  app.get<{ Params: Type.Static<typeof nameParams> }>(
    '/clusters/:name',
    {
      schema: {
        tags,
        summary: 'One cluster',
        params: nameParams,
        response: { 200: schemas.cluster, ...errors },
      },
    },
    (request, reply) => topology.cluster(request.params.name, callerGone(reply)),
  );
  app.get(
    '/status',
    {
      schema: {
        tags,
        summary:
          'Everything: manager, metadata nodes, machines, clusters, with process ids as the agents report them',
        response: { 200: schemas.status, ...errors },
      },
    },
    async (request, reply): Promise<StatusJson> => ({
      manager: {
        url: `${request.protocol}://${request.host}`,
        pid: process.pid,
        leader: leadership.isLeader(),
      },
      ...(await topology.status(callerGone(reply))),
    }),
  );
}
