import Type from 'typebox';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MetadataDatabase } from '../../../src/catalog/database.ts';
import { firstRow, textOf, textOrNull } from '../../../src/catalog/sql.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { jobId, type JobId } from '../../../src/core/ids.ts';
import type { JobEngineOptions } from '../../../src/jobs/engine.ts';
import type { JobEvent } from '../../../src/jobs/job-event.ts';
import type { JobView } from '../../../src/jobs/mission.ts';
import { parallel, pointOfNoReturn, serial } from '../../../src/jobs/plan.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';
import {
  Gate,
  startScriptedEngine,
  step,
  type Script,
  type ScriptedEngine,
  type ScriptServices,
} from '../../support/scripted-jobs.ts';

let server: MetadataServer;
let database: MetadataDatabase;
let engines: ScriptedEngine[] = [];

beforeAll(async () => {
  server = await startMetadataServer();
  database = await server.database();
});
afterAll(async () => {
  await server?.stop();
});
beforeEach(() => {
  engines = [];
});
afterEach(async () => {
  await Promise.all(engines.map(({ engine }) => engine.stop()));
});

async function start(
  scripts: Readonly<Record<string, Script>>,
  options: Partial<JobEngineOptions<ScriptServices>> = {},
): Promise<ScriptedEngine> {
  const scripted = await startScriptedEngine(database, scripts, options);
  engines.push(scripted);
  return scripted;
}

const states = (view: JobView) =>
  Object.fromEntries(view.steps.map(({ path, state }) => [path.slice(path.indexOf('/') + 1), state]));

async function allEvents(scripted: ScriptedEngine, job: JobId, after = 0): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  const signal = AbortSignal.timeout(10_000);
  for await (const event of scripted.engine.events(job, { after, signal })) events.push(event);
  return events;
}

const publicRow = (job: JobId) =>
  database.read((sql) =>
    firstRow(sql, 'SELECT * FROM cluster_general_job_log WHERE id = ?', [job], (row) => ({
      jobType: textOf(row, 'job_type'),
      status: textOf(row, 'status'),
      userName: textOf(row, 'user_name'),
      memo: JSON.parse(textOrNull(row, 'memo') ?? 'null') as unknown,
      request: JSON.parse(textOf(row, 'job_info')) as unknown,
      started: textOrNull(row, 'when_started'),
      ended: textOrNull(row, 'when_ended'),
    })),
  );

const failing = (message = 'no room') =>
  step('bad', { run: () => Promise.reject(new KlusterError('storage_install_failed', message)) });

describe('a job that succeeds', () => {
  const scripts: Record<string, Script> = {
    good: {
      plan: () =>
        serial('job', 'all', [step('one'), parallel('two', 'both', [step('a'), step('b')]), step('three')]),
      attachment: (view) => (view.status === 'done' ? { cluster_id: '7' } : null),
    },
  };

  it('runs its plan, stores the outputs, and ends done in the view and in the public row', async () => {
    const scripted = await start(scripts);
    const view = await scripted.run('good');
    expect(view).toMatchObject({
      status: 'done',
      phase: 'ended',
      progress: 100,
      error: null,
      userName: 'tester',
    });
    expect(view.steps.map(({ path, output }) => [path, output])).toEqual([
      ['job/one', 'output of one'],
      ['job/two/a', 'output of a'],
      ['job/two/b', 'output of b'],
      ['job/three', 'output of three'],
    ]);
    expect(scripted.log[0]).toBe('run one');
    expect(scripted.log[3]).toBe('run three');
    expect(await publicRow(view.id)).toMatchObject({
      jobType: 'scripted',
      status: 'done',
      userName: 'tester',
      memo: { cluster_id: '7', error_code: 0, error_info: 'OK' },
      request: { job_type: 'scripted', paras: { script: 'good' } },
      ended: expect.any(String) as string,
    });
  });

  it('is found again, equal in every part, by an engine that did not run it', async () => {
    const view = await (await start(scripts)).run('good');
    const other = await start(scripts);
    expect(await other.engine.get(view.id)).toEqual(view);
    expect((await other.engine.list({ limit: 1 })).map(({ id }) => id)).toEqual([view.id]);
  });

  it('gives the same view object until something changes', async () => {
    const gate = new Gate();
    const scripted = await start({
      waits: { plan: () => step('gated', { run: async ({ signal }) => (await gate.pass(signal), 'x') }) },
    });
    const job = await scripted.submit('waits');
    await gate.reached;
    const view = await scripted.engine.get(job);
    expect(await scripted.engine.get(job)).toBe(view);
    gate.open();
    const ended = await scripted.ended(job);
    expect(ended).not.toBe(view);
    expect(await scripted.engine.get(job)).toBe(ended);
  });

  it('tells its events completely and in order, live and afterwards', async () => {
    const gate = new Gate();
    const scripted = await start({
      noted: {
        plan: () =>
          step('gated', {
            run: async (context) => {
              await context.note('half way');
              await gate.pass(context.signal);
              return 'x';
            },
          }),
      },
    });
    const job = await scripted.submit('noted');
    const live = allEvents(scripted, job);
    await gate.reached;
    gate.open();
    const events = await live;
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_event, index) => index + 1));
    const words = events.map((event) => {
      if (event.type === 'job') return event.phase;
      return event.type === 'note' ? event.text : `${event.path} ${event.state}`;
    });
    expect(words).toEqual(['queued', 'forward', 'gated running', 'half way', 'gated done', 'ended']);
    expect(await allEvents(scripted, job)).toEqual(events);
    expect(await allEvents(scripted, job, 3)).toEqual(events.slice(3));
    expect((await scripted.engine.get(job))?.notes).toEqual(['half way']);
  });

  it('hands outputs on to later steps, checked against their schema', async () => {
    const scripted = await start({
      reads: {
        prepare: () => Promise.resolve(['x']),
        plan: (prepared) =>
          serial('job', 'all', [
            step('makes', { run: () => Promise.resolve({ port: 57_001, from: prepared }) }),
            step('uses', {
              run: (context) => {
                const { port } = context.outputOf('job/makes', Type.Object({ port: Type.Integer() }));
                return Promise.resolve(port + 1);
              },
            }),
            step('misuses', {
              run: (context) => Promise.resolve(context.outputOf('job/makes', Type.String())),
            }),
          ]),
      },
    });
    const view = await scripted.run('reads');
    expect(view.steps[1]?.output).toBe(57_002);
    expect(view.error?.message).toContain('job/makes is not of the form');
  });

  it('keeps an attachment of more than 64 KB whole', async () => {
    const big = 'x'.repeat(300_000);
    const scripted = await start({ big: { plan: () => step('one'), attachment: () => ({ big }) } });
    const view = await scripted.run('big');
    expect((await publicRow(view.id))?.memo).toMatchObject({ big });
  });

  it('reports a mission whose attachment cannot be made as any other', async () => {
    const attachment = () => {
      throw new Error('defect');
    };
    const scripted = await start({ mute: { plan: () => step('one'), attachment } });
    const view = await scripted.run('mute');
    expect(view.status).toBe('done');
    expect((await publicRow(view.id))?.memo).toEqual({ error_code: 0, error_info: 'OK' });
  });
});

describe('submission', () => {
  const scripts = { good: { plan: () => step('one') } };

  it('refuses unknown job types and bad parameters with every violation, and leaves no trace', async () => {
    const scripted = await start(scripts);
    const before = await scripted.engine.list({ limit: 1 });
    const submission = { jobType: 'scripted', paras: {}, request: {}, userName: 'u' };
    await expect(scripted.engine.submit({ ...submission, jobType: 'nonsense' })).rejects.toMatchObject({
      kind: 'unknown_job_type',
    });
    const paras = { passwd: '', locks: ['a', 'a'] };
    await expect(scripted.engine.submit({ ...submission, paras })).rejects.toMatchObject({
      kind: 'invalid_parameters',
      violations: [{ field: 'paras.script' }, { field: 'paras.locks[1]' }],
    });
    await expect(scripted.submit('refused')).rejects.toMatchObject({ code: 70_123 });
    expect(await scripted.engine.list({ limit: 1 })).toEqual(before);
  });

  it('takes aliases and records the real name', async () => {
    const scripted = await start(scripts);
    const paras = { script: 'good' };
    const job = await scripted.engine.submit({
      jobType: 'scripted_alias',
      paras,
      request: { paras },
      userName: '',
    });
    expect((await scripted.ended(job)).jobType).toBe('scripted');
  });

  it('gives the same job for the same key and request, also at the same time and after a restart', async () => {
    const scripted = await start(scripts);
    const key = { idempotencyKey: 'key 1' };
    const ids = await Promise.all(Array.from({ length: 8 }, () => scripted.submit('good', {}, key)));
    expect(new Set(ids).size).toBe(1);
    const other = await start(scripts);
    expect(await other.submit('good', {}, key)).toBe(ids[0]);
    await expect(other.submit('good', { passwd: 'another' }, key)).rejects.toMatchObject({
      kind: 'idempotency_conflict',
    });
    await expect(other.submit('good', {}, { idempotencyKey: '' })).rejects.toMatchObject({
      kind: 'bad_request',
    });
  });

  it('is refused before the start and after the end of the engine', async () => {
    const scripted = await start(scripts);
    await scripted.engine.stop();
    await expect(scripted.submit('good')).rejects.toMatchObject({ kind: 'not_leader' });
  });

  it('leaves the secrets of the parameters in no table', async () => {
    const secret = 'swordfish-4711';
    const scripted = await start({
      leaky: {
        plan: () =>
          step('tells', {
            run: async (context) => {
              await context.note(`logging in with ${secret}`);
              throw new KlusterError('engine_sql', `Access denied for x using ${secret}`);
            },
          }),
      },
    });
    const view = await scripted.run('leaky', { passwd: secret });
    expect(view.paras).toMatchObject({ passwd: '********' });
    expect(view.error?.message).toContain('using ********');
    expect(await tablesWith(secret)).toEqual([]);
    expect(await tablesWith('using ********')).not.toEqual([]);
  });
});

/** Names of the text columns of the whole database that contain the text. */
async function tablesWith(needle: string): Promise<string[]> {
  return await database.read(async (sql) => {
    const columns = await sql.rows(
      `SELECT TABLE_NAME AS t, COLUMN_NAME AS c FROM information_schema.COLUMNS
       WHERE TABLE_SCHEMA = DATABASE() AND DATA_TYPE IN ('char', 'varchar', 'text', 'mediumtext', 'longtext', 'json')`,
      [],
      (row) => ({ table: textOf(row, 't'), column: textOf(row, 'c') }),
    );
    const found: string[] = [];
    for (const { table, column } of columns) {
      const hit = await sql.rows(
        `SELECT 1 AS hit FROM \`${table}\` WHERE INSTR(\`${column}\`, ?) > 0 LIMIT 1`,
        [needle],
        () => true,
      );
      if (hit.length > 0) found.push(`${table}.${column}`);
    }
    return found;
  });
}

describe('locks', () => {
  it('let jobs on different things run side by side and queue jobs on the same thing in order', async () => {
    const gates = [new Gate(), new Gate(), new Gate()];
    let number = 0;
    const scripted = await start({
      gated: {
        plan: () =>
          step('gated', {
            run: async ({ signal }) => {
              const mine = number;
              number += 1;
              await gates[mine]?.pass(signal);
              return mine;
            },
          }),
      },
    });
    const first = await scripted.submit('gated', { locks: ['cluster:1', 'machine:m'] });
    await gates[0]?.reached;
    const second = await scripted.submit('gated', { locks: ['machine:m'] });
    const third = await scripted.submit('gated', { locks: ['machine:m'] });
    const elsewhere = await scripted.submit('gated', { locks: ['cluster:2'] });
    await gates[1]?.reached;
    expect((await scripted.engine.get(elsewhere))?.status).toBe('ongoing');
    expect(await scripted.engine.get(second)).toMatchObject({
      status: 'not_started',
      phase: 'queued',
      waitingFor: [{ lock: 'machine:m', job: first }],
    });
    expect((await scripted.engine.get(third))?.waitingFor).toEqual([{ lock: 'machine:m', job: first }]);
    gates[0]?.open();
    await gates[2]?.reached;
    expect((await scripted.engine.get(second))?.status).toBe('ongoing');
    expect((await scripted.engine.get(third))?.waitingFor).toEqual([{ lock: 'machine:m', job: second }]);
    gates[1]?.open();
    gates[2]?.open();
    const ends = await Promise.all([second, third].map((job) => scripted.ended(job)));
    expect(ends.map(({ steps }) => steps[0]?.output)).toEqual([2, 3]);
    const listed = await scripted.engine.list({ limit: 2, lock: 'machine:m' });
    expect(listed.map(({ id }) => id)).toEqual([third, second]);
  });

  it('hold back jobs beyond the number that may run at once', async () => {
    let running = 0;
    let most = 0;
    const run = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
      running -= 1;
      return null;
    };
    const scripted = await start({ busy: { plan: () => step('busy', { run }) } }, { concurrency: 2 });
    const jobs = await Promise.all(Array.from({ length: 6 }, () => scripted.submit('busy')));
    const views = await Promise.all(jobs.map((job) => scripted.ended(job)));
    expect(views.every(({ status }) => status === 'done')).toBe(true);
    expect(most).toBe(2);
  });
});

describe('a step that fails', () => {
  it('has every started step undone in reverse order, and names itself in the error of the job', async () => {
    const scripted = await start({
      fails: {
        plan: () =>
          serial('job', 'all', [
            step('one'),
            parallel('two', 'both', [step('a'), serial('row', 'row', [step('b'), step('c')])]),
            step('silent', { noUndo: true }),
            failing(),
            step('never'),
          ]),
      },
    });
    const view = await scripted.run('fails');
    expect(view).toMatchObject({
      status: 'failed',
      error: { kind: 'storage_install_failed', code: 70_093, message: 'step bad: no room' },
    });
    const undone = scripted.log.filter((line) => line.startsWith('undo'));
    expect(undone[0]).toBe('undo bad');
    expect(undone.at(-1)).toBe('undo one');
    expect(undone.indexOf('undo c')).toBeLessThan(undone.indexOf('undo b'));
    expect(undone).toHaveLength(5);
    expect(scripted.log).not.toContain('run never');
    expect(states(view)).toEqual({
      one: 'undone',
      'two/a': 'undone',
      'two/row/b': 'undone',
      'two/row/c': 'undone',
      silent: 'done',
      bad: 'undone',
      never: 'skipped',
    });
    expect(view.steps.find(({ path }) => path === 'job/bad')?.reason).toBe('no room');
    expect(await publicRow(view.id)).toMatchObject({
      status: 'failed',
      memo: { error_code: 70_093, error_info: 'step bad: no room' },
    });
  });

  it('stops the steps beside it and waits for them before anything is undone', async () => {
    const gate = new Gate();
    const scripted = await start({
      fails: {
        plan: () =>
          parallel('job', 'all', [
            step('slow', {
              run: async ({ signal, services }) => {
                try {
                  await gate.pass(signal);
                } finally {
                  await new Promise((resolve) => {
                    setTimeout(resolve, 30);
                  });
                  services.log.push('slow has stopped');
                }
                return 'x';
              },
            }),
            step('bad', {
              run: async () => {
                await gate.reached;
                throw new KlusterError('agent_refused', 'refused');
              },
            }),
          ]),
      },
    });
    const view = await scripted.run('fails');
    expect(view.error?.message).toBe('step bad: refused');
    expect(scripted.log.slice(0, 3)).toEqual(['run slow', 'run bad', 'slow has stopped']);
    expect(scripted.log.slice(3).toSorted()).toEqual(['undo bad', 'undo slow']);
    expect(view.steps[0]?.reason).toContain('a step beside it failed');
  });

  it('is repeated while the fault passes, with its reason for those who watch', async () => {
    let attempts = 0;
    const retry = { attempts: 3, firstDelayMs: 5, maximumDelayMs: 10 };
    const scripted = await start({
      flaky: {
        plan: () =>
          step('flaky', {
            retry,
            run: ({ attempt }) => {
              attempts += 1;
              return attempts < 3
                ? Promise.reject(new KlusterError('agent_unreachable', `no answer ${String(attempt)}`))
                : Promise.resolve(attempt);
            },
          }),
      },
      stubborn: {
        plan: () =>
          step('stubborn', {
            retry,
            run: () => Promise.reject(new KlusterError('agent_unreachable', 'no answer')),
          }),
      },
    });
    const view = await scripted.run('flaky');
    expect(view).toMatchObject({ status: 'done', steps: [{ attempt: 3, output: 3, reason: null }] });
    const reasons = (await allEvents(scripted, view.id)).flatMap((event) =>
      event.type === 'step' && event.reason !== null ? [event.reason] : [],
    );
    expect(reasons.some((reason) => /no answer 1; again in \d/.test(reason))).toBe(true);
    const other = await scripted.run('stubborn');
    expect(other).toMatchObject({
      status: 'failed',
      error: { kind: 'agent_unreachable' },
      steps: [{ attempt: 3 }],
    });
  });

  it('ends at its deadline, which names it', async () => {
    const scripted = await start({
      slow: {
        plan: () =>
          step('slow', {
            deadlineMs: 20,
            retry: { attempts: 1, firstDelayMs: 1, maximumDelayMs: 1 },
            run: async ({ signal }) => (await new Gate().pass(signal), 'x'),
          }),
      },
    });
    const view = await scripted.run('slow');
    expect(view.error).toMatchObject({ kind: 'step_deadline', code: 70_002 });
    expect(view.error?.message).toContain('step "step slow" did not end within 20 ms');
    expect(scripted.log).toEqual(['run slow', 'undo slow']);
  });

  it('is told of in the error of the job when its undo fails, and the rest is undone all the same', async () => {
    const scripted = await start({
      sticky: {
        plan: () =>
          serial('job', 'all', [
            step('one'),
            step('sticky', { undo: () => Promise.reject(new Error('disk is gone')) }),
            failing(),
          ]),
      },
    });
    const view = await scripted.run('sticky');
    expect(states(view)).toEqual({ one: 'undone', sticky: 'undo_failed', bad: 'undone' });
    expect(view.error?.message).toBe('step bad: no room. Not undone: step sticky: disk is gone');
  });

  it('fails the job when its output is not JSON, or when prepare or plan fail', async () => {
    const scripted = await start({
      bad: { plan: () => step('dated', { run: () => Promise.resolve(new Date() as never) }) },
      unprepared: {
        prepare: () => Promise.reject(new KlusterError('cluster_not_found', 'no 7')),
        plan: () => step('x'),
      },
      unplanned: { plan: () => serial('job', 'all', [step('x'), step('x')]) },
    });
    expect((await scripted.run('bad')).error?.message).toContain(
      'output of step dated is an object of class Date',
    );
    expect(await scripted.run('unprepared')).toMatchObject({
      error: { kind: 'cluster_not_found' },
      steps: [],
    });
    expect((await scripted.run('unplanned')).error?.message).toContain('occurs twice');
  });
});

describe('past the point of no return', () => {
  const quick = { attempts: 4, firstDelayMs: 1, maximumDelayMs: 4, isPassing: () => true };

  it('a failing step is repeated whatever its error, and the job goes forward', async () => {
    let attempts = 0;
    const scripted = await start(
      {
        forward: {
          plan: () =>
            serial('job', 'all', [
              step('one'),
              pointOfNoReturn,
              step('two', {
                run: () => {
                  attempts += 1;
                  return attempts < 4 ? Promise.reject(new Error('defect')) : Promise.resolve('x');
                },
              }),
            ]),
        },
      },
      { forwardOnlyRetry: quick },
    );
    expect(await scripted.run('forward')).toMatchObject({ status: 'done', steps: [{}, { attempt: 4 }] });
    expect(scripted.log).not.toContain('undo one');
  });

  it('a job that gives up ends failed without undo, siblings finished, and can be retried', async () => {
    let isBroken = true;
    const scripted = await start(
      {
        broken: {
          plan: () =>
            serial('job', 'all', [
              step('one'),
              pointOfNoReturn,
              parallel('rest', 'rest', [
                step('two', {
                  run: () => (isBroken ? Promise.reject(new Error('defect')) : Promise.resolve('x')),
                }),
                step('beside', {
                  run: async () => {
                    await new Promise((resolve) => {
                      setTimeout(resolve, 30);
                    });
                    return 'x';
                  },
                }),
              ]),
            ]),
        },
      },
      { forwardOnlyRetry: quick },
    );
    const view = await scripted.run('broken', { passwd: 'swordfish' });
    expect(view.status).toBe('failed');
    expect(states(view)).toEqual({ one: 'done', 'rest/two': 'failed', 'rest/beside': 'done' });
    expect(scripted.log.filter((line) => line.startsWith('undo'))).toEqual([]);
    isBroken = false;
    const again = await scripted.engine.retry(view.id);
    expect(await scripted.ended(again)).toMatchObject({
      status: 'done',
      retryOf: view.id,
      paras: view.paras,
    });
    expect(await scripted.engine.retry(view.id)).toBe(again);
    await expect(scripted.engine.retry(again)).rejects.toMatchObject({ kind: 'job_not_retryable' });
  });

  it('cancel is refused', async () => {
    const gate = new Gate();
    const scripted = await start({
      past: {
        plan: () =>
          serial('job', 'all', [
            pointOfNoReturn,
            step('gated', { run: async ({ signal }) => (await gate.pass(signal), 'x') }),
          ]),
      },
    });
    const job = await scripted.submit('past');
    await gate.reached;
    expect((await scripted.engine.get(job))?.cancellable).toBe(false);
    await expect(scripted.engine.cancel(job)).rejects.toMatchObject({ kind: 'job_not_cancellable' });
    gate.open();
    expect((await scripted.ended(job)).status).toBe('done');
    await expect(scripted.engine.cancel(job)).rejects.toThrow('has ended');
  });
});

describe('cancel', () => {
  it('stops a running job, which undoes itself, and ends a queued one at once', async () => {
    const gate = new Gate();
    const scripted = await start({
      gated: {
        plan: () =>
          serial('job', 'all', [
            step('one'),
            step('gated', { run: async ({ signal }) => (await gate.pass(signal), 'x') }),
          ]),
      },
    });
    const running = await scripted.submit('gated', { locks: ['a'] });
    const queued = await scripted.submit('gated', { locks: ['a'] });
    await gate.reached;
    await scripted.engine.cancel(queued);
    expect(await scripted.engine.get(queued)).toMatchObject({
      status: 'failed',
      phase: 'ended',
      cancelRequested: true,
      startedAt: null,
      waitingFor: [],
      error: { kind: 'job_cancelled' },
    });
    await Promise.all([scripted.engine.cancel(running), scripted.engine.cancel(running)]);
    const view = await scripted.ended(running);
    expect(view).toMatchObject({ status: 'failed', error: { kind: 'job_cancelled' }, cancelRequested: true });
    expect(states(view)).toEqual({ one: 'undone', gated: 'undone' });
    expect(scripted.log.slice(-2)).toEqual(['undo gated', 'undo one']);
    await expect(scripted.engine.cancel(jobId(999_999))).rejects.toMatchObject({ kind: 'job_not_found' });
  });

  it('is refused while the job undoes itself', async () => {
    const gate = new Gate();
    const scripted = await start({
      undoing: {
        plan: () =>
          serial('job', 'all', [step('one', { undo: async ({ signal }) => gate.pass(signal) }), failing()]),
      },
    });
    const job = await scripted.submit('undoing');
    await gate.reached;
    await expect(scripted.engine.cancel(job)).rejects.toThrow('is being undone already');
    gate.open();
    expect((await scripted.ended(job)).error?.kind).toBe('storage_install_failed');
  });
});

describe('the list', () => {
  it('gives the newest jobs first, by page, status and type', async () => {
    const scripted = await start({ good: { plan: () => step('one') }, bad: { plan: () => failing() } });
    const good = await scripted.run('good');
    const bad = await scripted.run('bad');
    const ids = async (filter: Parameters<typeof scripted.engine.list>[0]) =>
      (await scripted.engine.list(filter)).map(({ id }) => id);
    expect(await ids({ limit: 2 })).toEqual([bad.id, good.id]);
    expect(await ids({ limit: 1, before: bad.id })).toEqual([good.id]);
    expect(await ids({ limit: 1, status: 'failed' })).toEqual([bad.id]);
    expect(await ids({ limit: 1, status: 'done' })).toEqual([good.id]);
    expect(await ids({ limit: 1, jobType: 'nothing' })).toEqual([]);
    expect(await ids({ limit: 1, jobType: 'scripted', status: 'ongoing' })).toEqual([]);
  });

  it('knows no job that does not exist', async () => {
    const scripted = await start({});
    const unknown = jobId(999_999);
    expect(await scripted.engine.get(unknown)).toBeUndefined();
    await expect(scripted.engine.retry(unknown)).rejects.toMatchObject({ kind: 'job_not_found' });
    await expect(allEvents(scripted, unknown)).rejects.toMatchObject({ kind: 'job_not_found' });
  });
});
