import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

describe('create_cluster and delete_cluster', () => {
  let installation: TestInstallation;

  beforeAll(async () => {
    installation = await TestInstallation.start(await scratchDirectory(), {
      network: '127.0.9',
      machines: 3,
    });
  });
  afterAll(() => installation.close());

  it.each(['mgr', 'no_rep'])('makes an %s cluster', async (mode) => {
    const t = Date.now();
    const job = await installation.run('create_cluster', {
      ha_mode: mode,
      shards: '1',
      nodes: mode === 'no_rep' ? '1' : '3',
      comps: '1',
      dbcfg: '1',
    });
    console.log(Date.now() - t, job.status, job.error);
    for (const s of job.steps) console.log(s.path, s.started_at, s.ended_at, s.state, s.reason);
    console.log(JSON.stringify(await installation.client.status()));
    const id = job.attachment?.['cluster_id'];
    const t2 = Date.now();
    const d = await installation.run('delete_cluster', { cluster_id: id });
    console.log(Date.now() - t2, JSON.stringify(d.attachment), d.error);
    expect(job.status).toBe('done');
  });
});
