import Type from 'typebox';
import { describe, expect, it, onTestFinished } from 'vitest';
import { textOf } from '../../../src/catalog/sql.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import { jobId } from '../../../src/core/ids.ts';
import { parallel, serial } from '../../../src/jobs/plan.ts';
import {
  eventsOf,
  failing,
  Gate,
  publicRow,
  scriptedSuite,
  step,
  type Script,
} from '../../support/scripted-jobs.ts';

const suite = scriptedSuite({ officeFor: 'file' });

describe('a job that succeeds', () => {
  const scripts: Record<string, Script> = {
    good: {
      plan: () =>
        serial('job', 'all', [step('one'), parallel('two', 'both', [step('a'), step('b')]), step('three')]),
      attachment: (view) => (view.status === 'done' ? { cluster_id: '7' } : null),
    },
  };

  it('runs its plan, stores the outputs, and ends done in the view and in the public row', async () => {
    const scripted = await suite.start(scripts);
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
    expect(await publicRow(suite.database, view.id)).toMatchObject({
      jobType: 'scripted',
      status: 'done',
      userName: 'tester',
      memo: { cluster_id: '7', error_code: 0, error_info: 'OK' },
      request: { job_type: 'scripted', paras: { script: 'good' } },
      ended: expect.any(String) as string,
    });
  });

  it('is found again, equal in every part, by an engine that did not run it', async () => {
    const view = await (await suite.start(scripts)).run('good');
    const other = await suite.start(scripts);
    expect(await other.engine.get(view.id)).toEqual(view);
    expect((await other.engine.list({ limit: 1 })).map(({ id }) => id)).toEqual([view.id]);
  });

  it('gives the same view object until something changes', async () => {
    const gate = new Gate();
    const scripted = await suite.start({
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
    const scripted = await suite.start({
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
    const live = eventsOf(scripted, job);
    await gate.reached;
    gate.open();
    const events = await live;
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_event, index) => index + 1));
    const words = events.map((event) => {
      if (event.type === 'job') return event.phase;
      return event.type === 'note' ? event.text : `${event.path} ${event.state}`;
    });
    expect(words).toEqual(['queued', 'forward', 'gated running', 'half way', 'gated done', 'ended']);
    expect(await eventsOf(scripted, job)).toEqual(events);
    expect(await eventsOf(scripted, job, 3)).toEqual(events.slice(3));
    expect((await scripted.engine.get(job))?.notes).toEqual(['half way']);
  });

  it('hands outputs on to later steps, checked against their schema', async () => {
    const scripted = await suite.start({
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

  it('may have many steps side by side', async () => {
    const warnings: Error[] = [];
    const remember = (warning: Error) => warnings.push(warning);
    process.on('warning', remember);
    onTestFinished(() => void process.off('warning', remember));
    const many = Array.from({ length: 60 }, (_none, index) => step(`s${String(index)}`));
    const scripted = await suite.start({ wide: { plan: () => parallel('job', 'all', many) } });
    const view = await scripted.run('wide');
    expect(view.steps.filter(({ state }) => state === 'done')).toHaveLength(60);
    expect(warnings).toEqual([]);
  });

  it('keeps an attachment of more than 64 KB whole', async () => {
    const big = 'x'.repeat(300_000);
    const scripted = await suite.start({ big: { plan: () => step('one'), attachment: () => ({ big }) } });
    const view = await scripted.run('big');
    expect((await publicRow(suite.database, view.id))?.memo).toMatchObject({ big });
  });

  it('reports a mission whose attachment cannot be made as any other', async () => {
    const attachment = () => {
      throw new Error('defect');
    };
    const scripted = await suite.start({ mute: { plan: () => step('one'), attachment } });
    const view = await scripted.run('mute');
    expect(view.status).toBe('done');
    expect((await publicRow(suite.database, view.id))?.memo).toEqual({ error_code: 0, error_info: 'OK' });
  });
});

describe('submission', () => {
  const scripts = { good: { plan: () => step('one') } };

  it('refuses unknown job types and bad parameters with every violation, and leaves no trace', async () => {
    const scripted = await suite.start(scripts);
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
    const scripted = await suite.start(scripts);
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
    const scripted = await suite.start(scripts);
    const key = { idempotencyKey: 'key 1' };
    const ids = await Promise.all(Array.from({ length: 8 }, () => scripted.submit('good', {}, key)));
    expect(new Set(ids).size).toBe(1);
    const other = await suite.start(scripts);
    expect(await other.submit('good', {}, key)).toBe(ids[0]);
    await expect(other.submit('good', { passwd: 'another' }, key)).rejects.toMatchObject({
      kind: 'idempotency_conflict',
    });
    await expect(other.submit('good', {}, { idempotencyKey: '' })).rejects.toMatchObject({
      kind: 'bad_request',
    });
  });

  it('is refused before the start and after the end of the engine', async () => {
    const scripted = await suite.start(scripts);
    await scripted.engine.stop();
    await expect(scripted.submit('good')).rejects.toMatchObject({ kind: 'not_leader' });
  });

  it('leaves the secrets of the parameters in no table', async () => {
    const secret = 'swordfish-4711';
    const scripted = await suite.start({
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
  return await suite.database.read(async (sql) => {
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
    const scripted = await suite.start({
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
    const scripted = await suite.start({ busy: { plan: () => step('busy', { run }) } }, { concurrency: 2 });
    const jobs = await Promise.all(Array.from({ length: 6 }, () => scripted.submit('busy')));
    const views = await Promise.all(jobs.map((job) => scripted.ended(job)));
    expect(views.every(({ status }) => status === 'done')).toBe(true);
    expect(most).toBe(2);
  });
});

describe('the list', () => {
  it('gives the newest jobs first, by page, status and type', async () => {
    const scripted = await suite.start({ good: { plan: () => step('one') }, bad: { plan: () => failing() } });
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
    const scripted = await suite.start({});
    const unknown = jobId(999_999);
    expect(await scripted.engine.get(unknown)).toBeUndefined();
    await expect(scripted.engine.retry(unknown)).rejects.toMatchObject({ kind: 'job_not_found' });
    await expect(eventsOf(scripted, unknown)).rejects.toMatchObject({ kind: 'job_not_found' });
  });
});
