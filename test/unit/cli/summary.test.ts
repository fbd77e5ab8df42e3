import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { CliContext } from '../../../src/cli/context.ts';
import { shellWords, summary } from '../../../src/cli/up/summary.ts';
import type { ClusterJson } from '../../../src/core/rest-types.ts';
import { defaultHomeDirectory, homeAt } from '../../../src/manager/home.ts';

const config = {
  hostaddr: '127.0.0.1',
  bind: '127.0.0.1',
  port: 35_001,
  agentPort: 35_002,
  metadataPort: 35_003,
  storagePorts: '57000-58000',
  computerPorts: '47000-48000',
  tokens: [],
};

const node = { node_id: 1, hostaddr: '127.0.0.1', port: 57_001, status: 'active', pid: 1, datadir: '/d' };
const cluster: ClusterJson = {
  cluster_id: 1,
  cluster_name: 'cluster_1',
  nick_name: 'quickstart',
  ha_mode: 'rbr',
  shards: [
    {
      shard_id: 4,
      shard_name: 'shard_1',
      state: 'healthy',
      reason: null,
      nodes: [{ ...node, role: 'source' }],
    },
  ],
  comps: [
    {
      comp_id: 3,
      comp_name: 'comp1',
      hostaddr: '127.0.0.1',
      port: 47_001,
      status: 'active',
      pid: 2,
      datadir: '/c',
    },
  ],
};

test('a shell reads the printed words back as they are', () => {
  const word = fc.string({ minLength: 1 }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const read = execFileSync('sh', ['-c', `printf '%s\\0' ${shellWords(words)}`], { encoding: 'utf8' });
      expect(read.split('\0').slice(0, -1)).toEqual(words);
    }),
    { numRuns: 20 },
  );
});

describe('what `up` prints at its end', () => {
  async function printed(home: string): Promise<string> {
    const bin = await mkdtemp(join(tmpdir(), 'kluster-path-'));
    onTestFinished(() => rm(bin, { recursive: true }));
    await writeFile(join(bin, 'psql'), '', { mode: 0o755 });
    const context: Pick<CliContext, 'program' | 'environment'> = {
      program: join(process.cwd(), 'bin', 'kluster'),
      environment: { PATH: bin },
    };
    return summary({ context, home: homeAt(home), config }, cluster);
  }

  test('names a home that is not the default one, because KLUSTER_HOME may be gone by then', async () => {
    expect(await printed('/data/my home')).toContain(
      "bin/kluster --home '/data/my home' connect --cluster quickstart --comp 3\n",
    );
    expect(await printed(defaultHomeDirectory({}))).toContain(
      'bin/kluster connect --cluster quickstart --comp 3\n',
    );
  });

  test("names the engine's own client only where the shell would find it", async () => {
    const text = await printed('/data');
    expect(text).toContain('psql -h 127.0.0.1 -p 47001 -U abc postgres\n');
    expect(text).not.toContain('mysql -h');
    expect(text).toContain('bin/kluster --home /data url --cluster quickstart --shard 4');
  });
});
