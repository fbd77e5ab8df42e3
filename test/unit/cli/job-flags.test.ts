import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import Type from 'typebox';
import { describe, expect, test } from 'vitest';
import { addJobFlags, flagName, parasFromFlags, type JobCommand } from '../../../src/cli/job-flags.ts';
import { choice, flag, integer, addressList, text } from '../../../src/core/parameters/fields.ts';
import { parseParameters } from '../../../src/core/parameters/parse.ts';
import { createClusterExample, createClusterParas } from '../../../src/missions/create-cluster/parameters.ts';

const codes = { invalid: 70_005 };

const job: JobCommand = {
  jobType: 'paint_wall',
  aliases: [],
  summary: 'Paint a wall',
  example: {},
  paras: Type.Object({
    shards: integer({ description: 'How many.', minimum: 1, maximum: 256, codes }),
    ha_mode: choice(['rbr', 'mgr'], { description: 'How.', codes }),
    storage_iplists: Type.Optional(addressList({ description: 'Where.', codes })),
    dbcfg: Type.Optional(flag({ description: 'Small.', codes })),
    computer_password: Type.Optional(text({ description: 'Password.', maxLength: 30, codes, secret: true })),
    rb_nodes: Type.Optional(
      Type.Array(Type.Object({ hostaddr: text({ description: 'Host.', maxLength: 99, codes }) }), {
        description: 'Nodes.',
      }),
    ),
  }),
};

/** Parses a command line as the program does; resolves to the `paras` that would be sent. */
async function paras(definition: JobCommand, ...words: readonly string[]): Promise<unknown> {
  const command = new Command('run').exitOverride();
  addJobFlags(command, definition);
  command.parse(words, { from: 'user' });
  return parasFromFlags(definition, command);
}

describe('flags of a job type', () => {
  test('every parameter has one, in kebab case', () => {
    const command = new Command('run');
    addJobFlags(command, job);
    expect(command.options.map((option) => option.flags)).toEqual([
      '--shards <number>',
      '--ha-mode <word>',
      '--storage-iplists <list>',
      '--dbcfg [on|off]',
      '--computer-password-file <file>',
      '--rb-nodes <json>',
    ]);
    expect(flagName('rocksdb_block_cache_size_M')).toBe('rocksdb-block-cache-size-m');
  });

  test('help says what is required and which words are allowed', () => {
    const command = new Command('run').configureHelp({ helpWidth: 200 });
    addJobFlags(command, job);
    expect(command.helpInformation()).toContain('How. (required) (choices: "rbr", "mgr")');
    expect(command.helpInformation()).toContain('Where. (separated by commas)');
  });

  test('give the parameters that the server understands', async () => {
    const given = await paras(
      job,
      '--shards',
      '2',
      '--ha-mode',
      'RBR',
      '--storage-iplists',
      '10.0.0.1,10.0.0.2',
      '--dbcfg',
      '--rb-nodes',
      '[{"hostaddr":"10.0.0.3"}]',
    );
    const parsed = parseParameters(job.paras, given as never);
    expect(parsed).toEqual({
      ok: true,
      value: {
        shards: 2,
        ha_mode: 'rbr',
        storage_iplists: ['10.0.0.1', '10.0.0.2'],
        dbcfg: true,
        rb_nodes: [{ hostaddr: '10.0.0.3' }],
      },
    });
  });

  test('a switch can be turned off', async () => {
    expect(await paras(job, '--shards', '1', '--ha-mode', 'mgr', '--dbcfg', 'off')).toMatchObject({
      dbcfg: 'off',
    });
  });

  test('every mistake is told at once, by the name of the flag', async () => {
    await expect(
      paras(job, '--shards', '999', '--storage-iplists', '10.0.0.1,bad host'),
    ).rejects.toMatchObject({
      kind: 'invalid_parameters',
      violations: [
        { field: '--shards', value: '"999"', rule: expect.stringContaining('1 to 256') },
        { field: '--ha-mode', rule: 'this parameter is required' },
        { field: '--storage-iplists[1]', value: '"bad host"' },
      ],
    });
  });

  test('text that is not JSON is told, where JSON is wanted', async () => {
    await expect(paras(job, '--shards', '1', '--rb-nodes', '[{')).rejects.toThrow('--rb-nodes is not JSON');
  });

  test('a secret is read from a file, never from the command line', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kluster-flags-'));
    try {
      const file = join(directory, 'password');
      await writeFile(file, 's3cret word\nsecond line\n');
      const given = await paras(job, '--shards', '1', '--ha-mode', 'mgr', '--computer-password-file', file);
      expect(given).toMatchObject({ computer_password: 's3cret word' });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('the documented example of create_cluster can be typed', async () => {
    const words = Object.entries(createClusterExample).flatMap(([parameter, value]) => [
      `--${flagName(parameter)}`,
      Array.isArray(value) ? value.join(',') : value,
    ]);
    const createCluster: JobCommand = {
      jobType: 'create_cluster',
      aliases: [],
      summary: '',
      example: createClusterExample,
      paras: createClusterParas,
    };
    const given = await paras(createCluster, ...words);
    const fromFlags = parseParameters(createClusterParas, given as never);
    const fromExample = parseParameters(createClusterParas, createClusterExample);
    expect(fromFlags.ok).toBe(true);
    expect(fromFlags).toEqual(fromExample);
  });
});
