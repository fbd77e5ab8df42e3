import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestInstallation } from '../../support/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

describe('create_cluster and delete_cluster', () => {
  let installation: TestInstallation;

  beforeAll(async () => {
    installation = await TestInstallation.start(await scratchDirectory(), { network: '127.0.9', machines: 3 });
  });
  afterAll(() => installation.close());

  it('makes an rbr cluster', async () => {
    const t = Date.now();
    const job = await installation.done('create_cluster', {
      ha_mode: 'rbr',
      shards: '1',
      nodes: '3',
      comps: '1',
      dbcfg: '1',
    });
    console.log(Date.now() - t, JSON.stringify(job.attachment));
    for (const s of job.steps) console.log(s.path, s.started_at, s.ended_at, s.state);
    const t2 = Date.now();
    const d = await installation.run('delete_cluster', { cluster_id: 1 });
    console.log(Date.now() - t2, JSON.stringify(d.attachment), d.error);
    expect(job.status).toBe('done');
  });
});
