import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { eventsAfter, loadJobs } from '../../../src/catalog/jobs.ts';
import { textOf } from '../../../src/catalog/sql.ts';
import { packageRoot } from '../../../src/catalog/package-root.ts';
import { jobId, type JobId } from '../../../src/core/ids.ts';
import { optionsVariable, type JobChildEnding, type JobChildOptions } from '../../support/job-child.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';
import { scratchDirectory } from '../../support/scratch.ts';

/** Compiled, because Node alone cannot run TypeScript and every start counts. */
const program = join(packageRoot(), 'dist', 'test', 'support', 'job-child.js');
/** More kills than the sample has fault points: one that is never survived would loop for ever. */
const maximumKills = 60;

let server: MetadataServer;
let database: MetadataDatabase;
let scratch: string;

beforeAll(async () => {
  if (!existsSync(program)) throw new Error(`${program} is missing: compile first (npm test does)`);
  scratch = await scratchDirectory();
  server = await startMetadataServer();
  database = await server.database();
});
afterAll(async () => {
  await server?.stop();
});

interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

function runChild(options: JobChildOptions, faults: NodeJS.ProcessEnv): Promise<ChildEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program], {
      env: { ...process.env, ...faults, [optionsVariable]: JSON.stringify(options) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
}

interface Survived {
  readonly job: JobId;
  readonly kills: number;
  readonly points: readonly string[];
}

/** Starts managers one after the other until one lives to see the job's end. */
async function survive(
  ending: JobChildEnding,
  name: string,
  mode: 'kill-everywhere' | '',
): Promise<Survived> {
  const directory = join(scratch, name);
  await mkdir(directory);
  const options: JobChildOptions = {
    metadata: server.options(`metadata_1`),
    directory,
    ending,
    key: name,
  };
  const visited = join(scratch, `${name}.visited`);
  const faults = { KLUSTER_FAULT_MODE: mode, KLUSTER_FAULT_FILE: visited };
  for (let kills = 0; kills <= maximumKills; kills += 1) {
    const { code, signal, output, errors } = await runChild(options, faults);
    if (code === 0) {
      const points = mode === '' ? [] : (await readFile(visited, 'utf8')).trim().split('\n');
      return { job: jobId(Number(output)), kills, points };
    }
    if (signal !== 'SIGKILL') throw new Error(`the manager failed with ${String(code)}: ${errors}`);
  }
  throw new Error(`the job did not end in spite of ${String(maximumKills)} new managers`);
}

/** What the job came to, without what kills may change: times and numbers of attempts. */
async function outcomeOf(job: JobId, name: string) {
  const [stored] = await database.read((sql) => loadJobs(sql, [job]));
  if (stored === undefined) throw new Error(`job ${String(job)} is not stored`);
  const directory = join(scratch, name);
  const effects = (await readdir(directory)).filter((file) => file.startsWith('job~')).sort();
  const [memo] = await database.read((sql) =>
    sql.rows('SELECT status, memo FROM cluster_general_job_log WHERE id = ?', [job], (row) => ({
      status: textOf(row, 'status'),
      memo: JSON.parse(textOf(row, 'memo')) as unknown,
    })),
  );
  return {
    phase: stored.phase,
    error: stored.error,
    progress: stored.progress,
    prepared: stored.prepared,
    notes: stored.notes,
    steps: stored.steps.map(({ path, state, output, reason }) => ({ path, state, output, reason })),
    effects: await Promise.all(
      effects.map(async (file) => [file, await readFile(join(directory, file), 'utf8')] as const),
    ),
    memo,
  };
}

async function expectOrderedEvents(job: JobId): Promise<void> {
  const events = await database.read((sql) => eventsAfter(sql, job, { after: 0, limit: 1000 }));
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_event, index) => index + 1));
  expect(events.at(-1)?.event).toMatchObject({ type: 'job', phase: 'ended' });
}

const locksLeft = () =>
  database.read((sql) =>
    sql.rows('SELECT lock_name FROM kluster_job_locks', [], (row) => textOf(row, 'lock_name')),
  );

describe('a job whose manager is killed at every fault point', () => {
  it.each<{ ending: JobChildEnding; effects: string[]; points: string[] }>([
    {
      ending: 'fails',
      effects: [],
      points: ['sample:undo:before', 'sample:undo:after-store', 'sample:job/first:undo-after-run'],
    },
    {
      ending: 'forward',
      effects: ['job~first', 'job~last', 'job~middle~left', 'job~middle~right'],
      points: [
        'sample:point-of-no-return:before',
        'sample:point-of-no-return:after-store',
        'sample:prepare:after-run',
        'sample:job/middle/right:after-run',
        'sample:end:before',
        'sample:end:after-store',
      ],
    },
  ])('that $ending comes to the same end as one that is left alone', async ({ ending, effects, points }) => {
    const calm = await survive(ending, `${ending}-calm`, '');
    const killed = await survive(ending, `${ending}-killed`, 'kill-everywhere');
    const expected = await outcomeOf(calm.job, `${ending}-calm`);
    expect(await outcomeOf(killed.job, `${ending}-killed`)).toEqual(expected);
    expect(expected.phase).toBe('ended');
    expect(expected.effects.map(([file]) => file)).toEqual(effects);
    expect(killed.points).toEqual(expect.arrayContaining(points));
    expect(killed.kills).toBe(killed.points.length);
    expect(killed.kills).toBeGreaterThan(15);
    await expectOrderedEvents(killed.job);
    expect(await locksLeft()).toEqual([]);
  });
});
