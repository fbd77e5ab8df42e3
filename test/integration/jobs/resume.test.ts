import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { loadJobs } from '../../../src/catalog/jobs.ts';
import { KlusterError } from '../../../src/core/errors/kluster-error.ts';
import type { JobId } from '../../../src/core/ids.ts';
import { withMysql } from '../../../src/engines/mysql/connection.ts';
import { numberOf } from '../../../src/engines/sql.ts';
import { pointOfNoReturn, serial } from '../../../src/jobs/plan.ts';
import { Gate, scriptedSuite, step, type Script } from '../../support/scripted-jobs.ts';

const suite = scriptedSuite({ officeFor: 'test' });

async function storedStates(job: JobId): Promise<readonly string[]> {
  const [stored] = await suite.database.read((sql) => loadJobs(sql, [job]));
  return stored === undefined ? [] : [stored.phase, ...stored.steps.map(({ state }) => state)];
}

/** A job whose second step waits at the gate. */
const gated = (gate: Gate): Script => ({
  plan: () =>
    serial('job', 'all', [
      step('one'),
      step('gated', { run: async ({ signal }) => (await gate.pass(signal), 'passed') }),
      step('three'),
    ]),
});

const open = (): Gate => {
  const gate = new Gate();
  gate.open();
  return gate;
};

describe('an engine that is stopped', () => {
  it('stops its steps, records no failure, and leaves the job for the next engine to finish', async () => {
    const gate = new Gate();
    const first = await suite.start({ gated: gated(gate) });
    const job = await first.submit('gated', { locks: ['a'] });
    const queued = await first.submit('gated', { locks: ['a'] });
    await gate.reached;
    const waiting = first.ended(job);
    const refused = expect(waiting).rejects.toThrow('being stopped');
    await first.engine.stop();
    await refused;
    expect(await storedStates(job)).toEqual(['forward', 'done', 'running', 'waiting']);
    const second = await suite.start({ gated: gated(open()) });
    const views = await Promise.all([second.ended(job), second.ended(queued)]);
    expect(views.map(({ status }) => status)).toEqual(['done', 'done']);
    expect(second.log.slice(0, 3)).toEqual(['run gated', 'run three', 'run one']);
    expect(views[0]?.steps.map(({ attempt }) => attempt)).toEqual([1, 2, 1]);
  });

  it('stores what a step finished while it was being stopped', async () => {
    const gate = new Gate();
    const first = await suite.start({
      finishes: {
        plan: () =>
          step('busy', {
            run: async ({ signal }) => {
              await gate.pass(signal).catch(() => undefined);
              return 'finished all the same';
            },
          }),
      },
    });
    const job = await first.submit('finishes');
    await gate.reached;
    await first.engine.stop();
    expect((await storedStates(job)).at(-1)).toBe('done');
  });

  it('goes on undoing where it was stopped', async () => {
    const gate = new Gate();
    const script = (at: Gate): Script => ({
      plan: () =>
        serial('job', 'all', [
          step('one'),
          step('two', {
            undo: async ({ signal, services }) => {
              await at.pass(signal);
              services.log.push('undo two');
            },
          }),
          step('bad', { run: () => Promise.reject(new KlusterError('agent_refused', 'refused')) }),
        ]),
    });
    const first = await suite.start({ undoing: script(gate) });
    const job = await first.submit('undoing');
    await gate.reached;
    await first.engine.stop();
    expect(await storedStates(job)).toEqual(['undoing', 'done', 'undoing', 'undone']);
    const second = await suite.start({ undoing: script(open()) });
    const view = await second.ended(job);
    expect(view).toMatchObject({ status: 'failed', error: { message: 'step bad: refused' } });
    expect(second.log).toEqual(['undo two', 'undo one']);
  });

  it('undoes a job whose cancellation was stored but not carried out', async () => {
    const gate = new Gate();
    const first = await suite.start({ gated: gated(gate) });
    const job = await first.submit('gated');
    await gate.reached;
    // As if the manager had died right after it had stored the wish.
    await first.engine.stop();
    await suite.database.write((sql) =>
      sql.execute('UPDATE kluster_jobs SET cancel_requested = 1 WHERE job_id = ?', [job]),
    );
    const second = await suite.start({ gated: gated(open()) });
    expect(await second.ended(job)).toMatchObject({ status: 'failed', error: { kind: 'job_cancelled' } });
    expect(second.log).toEqual(['undo gated', 'undo one']);
  });
});

describe('a job of another version of the program', () => {
  it('is undone as far as this version knows its steps, when its plan is another one now', async () => {
    const gate = new Gate();
    const first = await suite.start({ gated: gated(gate) });
    const job = await first.submit('gated');
    await gate.reached;
    await first.engine.stop();
    const second = await suite.start({
      gated: { plan: () => serial('job', 'all', [step('one'), step('new')]) },
    });
    const view = await second.ended(job);
    expect(view.status).toBe('failed');
    expect(view.error?.message).toMatch(/another version.*Not undone: step gated: this version/);
    expect(view.steps.map(({ state }) => state)).toEqual(['undone', 'undo_failed', 'skipped']);
  });

  it('stays as it is, with its locks, when its type is unknown', async () => {
    const gate = new Gate();
    const first = await suite.start({ gated: gated(gate) });
    const job = await first.submit('gated', { locks: ['a'] });
    await gate.reached;
    await first.engine.stop();
    const second = await suite.start({ gated: gated(open()) }, { missions: [] });
    expect(await second.engine.get(job)).toMatchObject({ status: 'ongoing' });
    await expect(second.engine.cancel(job)).rejects.toThrow('cannot be run by this manager');
    await second.engine.stop();
    const third = await suite.start({ gated: gated(open()) });
    expect((await third.ended(job)).status).toBe('done');
  });
});

describe('an engine whose manager is not the leader any more', () => {
  it('notices at its next write, changes nothing more, says so once, and leaves the job to the new leader', async () => {
    const gate = new Gate();
    let lost = 0;
    const first = await suite.start({ gated: gated(gate) }, { onLostOffice: () => (lost += 1) });
    const job = await first.submit('gated');
    await gate.reached;
    const successor = suite.server.another();
    await successor.takeOffice('the new leader');
    suite.use(successor);
    const before = await storedStates(job);
    const watching = first.ended(job);
    const refused = expect(watching).rejects.toThrow('no longer the leader');
    gate.open();
    await refused;
    await expect(first.submit('gated')).rejects.toMatchObject({ kind: 'not_leader' });
    await first.engine.stop();
    expect(lost).toBe(1);
    expect(first.log).toEqual(['run one', 'run gated']);
    expect(await storedStates(job)).toEqual(before);
    const second = await suite.start({ gated: gated(open()) });
    expect((await second.ended(job)).status).toBe('done');
  });

  it('notices when it takes a request, and when an agent knows better', async () => {
    let lost = 0;
    const onLostOffice = () => (lost += 1);
    const refusedByAgent = () => Promise.reject(new KlusterError('stale_epoch', 'epoch 1 is over'));
    // Past the point of no return everything is repeated, but for this.
    const plan = () => serial('job', 'all', [pointOfNoReturn, step('old', { run: refusedByAgent })]);
    const first = await suite.start({ old: { plan } }, { onLostOffice });
    const job = await first.submit('old');
    await expect(first.ended(job)).rejects.toThrow('no longer the leader');
    expect(lost).toBe(1);
    expect(await storedStates(job)).toEqual(['forward', 'running']);
    const again = () => serial('job', 'all', [pointOfNoReturn, step('old')]);
    const second = await suite.start({ old: { plan: again } }, { onLostOffice });
    expect((await second.ended(job)).status).toBe('done');
    await suite.server.another().takeOffice('the new leader');
    await expect(second.submit('old')).rejects.toMatchObject({ kind: 'stale_epoch' });
    expect(lost).toBe(2);
  });
});

describe('when the metadata database breaks off', () => {
  it('the job stands still and goes on when it is back', async () => {
    const gate = new Gate();
    const scripted = await suite.start({ gated: gated(gate) });
    const job = await scripted.submit('gated');
    await gate.reached;
    await killConnections();
    gate.open();
    expect(await scripted.ended(job)).toMatchObject({ status: 'done', steps: [{}, { attempt: 1 }, {}] });
  });

  it('a job whose submission was stored without an answer is found and run', async () => {
    const first = await suite.start({ good: { plan: () => step('one') } });
    await first.engine.stop();
    const second = await suite.start({ good: { plan: () => step('one') } }, { safetyPollMs: 20 });
    // A job that this engine has not heard of, as after a COMMIT whose answer was lost.
    const other = await suite.start({ good: { plan: () => step('one') } }, { concurrency: 0 });
    const job = await other.submit('good');
    expect((await second.ended(job)).status).toBe('done');
    expect(second.log).toEqual(['run one']);
  });
});

describe('a job that becomes known after a younger one', () => {
  it('goes first all the same, when both wait for a place', async () => {
    const gate = new Gate();
    const scripts = { gated: gated(gate), good: { plan: () => step('one') } };
    const engine = await suite.start(scripts, { concurrency: 1, safetyPollMs: 20 });
    const running = await engine.submit('gated');
    await gate.reached;
    const elsewhere = await suite.start(scripts, { concurrency: 0 });
    const older = await elsewhere.submit('good', { locks: ['a'] });
    const younger = await engine.submit('good', { locks: ['a'] });
    // Long enough for several looks at the database.
    await setTimeout(300);
    gate.open();
    const [one, two] = await Promise.all([engine.ended(older), engine.ended(younger), engine.ended(running)]);
    expect(one.endedAt?.getTime()).toBeLessThanOrEqual(two.startedAt?.getTime() ?? 0);
  });
});

/** Every connection to the server but the one that does it. */
async function killConnections(): Promise<void> {
  const { hostaddr, port, user, password } = suite.server.options('');
  await withMysql({ hostaddr, port, user, password }, AbortSignal.timeout(5000), async (session) => {
    const rows = await session.rows(
      `SELECT id FROM performance_schema.processlist WHERE user = ? AND id <> CONNECTION_ID()`,
      [user],
    );
    for (const row of rows) await session.query(`KILL CONNECTION ${String(numberOf(row, 'id'))}`);
  });
}
