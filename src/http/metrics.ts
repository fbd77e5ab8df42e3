import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { ServerOptions } from './options.ts';

/** Milliseconds that a scrape waits for the metadata database. */
const countDeadlineMs = 2000;

/** `/metrics` for Prometheus; process and event loop figures carry the prefix `kluster_`. */
export function addMetrics<Services>(app: FastifyInstance, server: ServerOptions<Services>): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'kluster_' });
  const durations = new Histogram({
    name: 'kluster_http_request_duration_seconds',
    help: 'Time from the request line to the end of the reply',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
    registers: [registry],
  });
  const unreadable = new Counter({
    name: 'kluster_metrics_metadata_failures_total',
    help: 'Scrapes that could not count the jobs because the metadata database did not answer',
    registers: [registry],
  });
  for (const metric of server.metrics ?? []) registry.registerMetric(metric);
  registry.registerMetric(
    new Gauge({
      name: 'kluster_jobs',
      help: 'Jobs by type and status',
      labelNames: ['job_type', 'status'],
      registers: [],
      async collect() {
        try {
          const counts = await server.countJobs(AbortSignal.timeout(countDeadlineMs));
          this.reset();
          for (const { jobType, status, count } of counts) {
            this.set({ job_type: jobType, status }, count);
          }
        } catch (error) {
          this.reset();
          unreadable.inc();
          server.logger.warn({ err: error }, 'the jobs cannot be counted for /metrics');
        }
      },
    }),
  );
  app.addHook('onResponse', (request, reply, done) => {
    const labels = {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: String(reply.statusCode),
    };
    durations.observe(labels, reply.elapsedTime / 1000);
    done();
  });
  app.get(
    '/metrics',
    { schema: { tags: ['operation'], summary: 'Figures for Prometheus' } },
    async (_request, reply) => {
      reply.header('content-type', registry.contentType);
      return registry.metrics();
    },
  );
  app.addHook('onClose', (_instance, done) => {
    registry.clear();
    done();
  });
}
