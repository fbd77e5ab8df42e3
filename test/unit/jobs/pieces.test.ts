import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import Type from 'typebox';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { text } from '../../../src/core/parameters/fields.ts';
import { faultPointsOf } from '../../../src/jobs/fault-points.ts';
import type { JobEvent } from '../../../src/jobs/job-event.ts';
import { JobFeed } from '../../../src/jobs/job-feed.ts';
import { KeyedMutex } from '../../../src/jobs/keyed-mutex.ts';
import { plainJson } from '../../../src/jobs/plain-json.ts';
import { progressOf } from '../../../src/jobs/progress.ts';
import { maskerOf, secretValues, shownParas, shownRequest } from '../../../src/jobs/secrets.ts';

describe('plainJson', () => {
  it('gives any JSON value back as a restart would read it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        expect(plainJson(value, 'x')).toEqual(expected);
      }),
    );
  });

  it('drops members that are undefined', () => {
    expect(plainJson({ a: 1, b: undefined }, 'x')).toEqual({ a: 1 });
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  it.each([
    ['nothing', undefined, 'x is undefined'],
    ['a date', { when: new Date() }, 'x.when is an object of class Date'],
    ['a number that is none', [1, Number.NaN], 'x[1] is NaN'],
    ['a function', { f: () => 1 }, 'x.f is function'],
    ['a map', new Map(), 'x is an object of class Map'],
    ['a big integer', { n: 1n }, 'x.n is bigint'],
    ['a value that contains itself', circle, 'nested too deeply'],
  ])('refuses %s and names its place', (_name, value, message) => {
    expect(() => plainJson(value, 'x')).toThrow(message);
  });
});

describe('secrets', () => {
  const codes = { invalid: 70_005 };
  const schema = Type.Object({
    name: text({ description: 'n', codes, maxLength: 100 }),
    passwd: text({ description: 'p', codes, maxLength: 100, secret: true }),
  });

  it('leave neither the parameters nor the request, also when they are sent as text or under a wrong name', () => {
    const paras = { name: 'x', passwd: 'swordfish', admin_password: 'swordfish' };
    const shown = { name: 'x', passwd: '********', admin_password: '********' };
    expect(shownParas(schema, paras)).toEqual(shown);
    const request = { job_type: 'y', access_token: 'swordfish', paras: JSON.stringify(paras) };
    expect(shownRequest(schema, request)).toEqual({ job_type: 'y', access_token: '********', paras: shown });
  });

  it('are hidden in texts, longer ones first', () => {
    const mask = maskerOf(['sword', ...secretValues(schema, { name: 'visible', passwd: 'swordfish' })]);
    expect(mask('refused swordfish and sword, visible')).toBe('refused ******** and ********, visible');
  });

  it('that are too short to be told from ordinary text are not hidden in texts', () => {
    expect(secretValues(schema, { name: 'x', passwd: 'a' })).toEqual([]);
  });
});

describe('progressOf', () => {
  it('is the share of the finished weight and reaches 100 only at the end of the job', () => {
    expect(progressOf([])).toBe(0);
    expect(
      progressOf([
        { state: 'done', weight: 1 },
        { state: 'running', weight: 3 },
      ]),
    ).toBe(25);
    expect(progressOf([{ state: 'done', weight: 1 }])).toBe(99);
    expect(progressOf([{ state: 'waiting', weight: 0 }])).toBe(0);
  });
});

describe('JobFeed', () => {
  const note = (sequence: number): JobEvent => ({
    sequence,
    at: new Date(0),
    type: 'note',
    path: 'p',
    text: 't',
  });

  it('gives what comes after an event, and says when it does not reach back', () => {
    const feed = new JobFeed(5);
    expect(feed.after(5)).toEqual([]);
    expect(feed.after(4)).toBeUndefined();
    feed.publish([note(6), note(7)]);
    expect(feed.after(5)?.map(({ sequence }) => sequence)).toEqual([6, 7]);
    expect(feed.after(7)).toEqual([]);
  });

  it('forgets the oldest events', () => {
    const feed = new JobFeed(0);
    feed.publish(Array.from({ length: 1500 }, (_none, index) => note(index + 1)));
    expect(feed.after(499)).toBeUndefined();
    expect(feed.after(500)?.[0]?.sequence).toBe(501);
  });

  it('wakes those who wait, at an event, at the end, and when they give up', async () => {
    const feed = new JobFeed(0);
    const controller = new AbortController();
    const waiting = [feed.changed(controller.signal), feed.changed(new AbortController().signal)];
    controller.abort();
    await waiting[0];
    feed.publish([note(1)]);
    await waiting[1];
    feed.close();
    await feed.changed(new AbortController().signal);
    expect(feed.closed).toBe(true);
  });
});

describe('KeyedMutex', () => {
  it('keeps calls with one key apart, also after a failure, and lets other keys pass', async () => {
    const mutex = new KeyedMutex();
    const log: string[] = [];
    const work =
      (name: string, fail = false) =>
      async () => {
        log.push(`${name} in`);
        await Promise.resolve();
        log.push(`${name} out`);
        if (fail) throw new Error(name);
        return name;
      };
    const first = mutex.run('k', work('first', true));
    const second = mutex.run('k', work('second'));
    await expect(first).rejects.toThrow('first');
    await expect(second).resolves.toBe('second');
    expect(log).toEqual(['first in', 'first out', 'second in', 'second out']);
  });
});

describe('fault points', () => {
  it('do nothing unless the environment asks for them', () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    faultPointsOf({})('a:b:before');
    expect(kill).not.toHaveBeenCalled();
  });

  it('refuse a mode that does not exist', () => {
    expect(() => faultPointsOf({ KLUSTER_FAULT_MODE: 'kill-everwhere' })).toThrow('not understood');
    expect(() => faultPointsOf({ KLUSTER_FAULT_MODE: 'stop-sampled:0:1' })).toThrow('not understood');
    expect(() => faultPointsOf({ KLUSTER_FAULT_MODE: 'kill-everywhere' })).toThrow('KLUSTER_FAULT_FILE');
  });

  it('fail at the point named and at no other', () => {
    const point = faultPointsOf({ KLUSTER_FAULT_MODE: 'fail:job:step:before' });
    point('job:step:after-run');
    expect(() => point('job:step:before')).toThrow('fault injected at job:step:before');
  });

  it.each([
    ['kill', 'SIGKILL'],
    ['stop', 'SIGSTOP'],
  ])('%s the process once at each point', (verb, signal) => {
    const directory = mkdtempSync(join(tmpdir(), 'faults-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    const file = join(directory, 'visited');
    const point = faultPointsOf({ KLUSTER_FAULT_MODE: `${verb}-everywhere`, KLUSTER_FAULT_FILE: file });
    for (const name of ['one', 'two', 'one']) point(name);
    expect(kill.mock.calls).toEqual([
      [process.pid, signal],
      [process.pid, signal],
    ]);
    expect(readFileSync(file, 'utf8')).toBe('one\ntwo\n');
  });

  it('kill at every so many points, of which the file remembers all', () => {
    const directory = mkdtempSync(join(tmpdir(), 'faults-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    const file = join(directory, 'visited');
    const KLUSTER_FAULT_MODE = 'kill-sampled:3:1';
    const point = faultPointsOf({ KLUSTER_FAULT_MODE, KLUSTER_FAULT_FILE: file });
    for (const name of ['one', 'two', 'one', 'three', 'two', 'four', 'five', 'six']) point(name);
    expect(readFileSync(file, 'utf8')).toBe('- one\ntwo\n- three\n- four\nfive\n- six\n');
    expect(kill).toHaveBeenCalledTimes(2);
  });

  it('kill once and then fail where both are asked for', () => {
    const directory = mkdtempSync(join(tmpdir(), 'faults-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw new Error('killed');
    });
    onTestFinished(() => kill.mockRestore());
    const point = faultPointsOf({
      KLUSTER_FAULT_MODE: 'kill-everywhere,fail:two',
      KLUSTER_FAULT_FILE: join(directory, 'visited'),
    });
    expect(() => point('one')).toThrow('killed');
    expect(() => point('one')).not.toThrow();
    expect(() => point('two')).toThrow('killed');
    expect(() => point('two')).toThrow('fault injected at two');
    expect(() => faultPointsOf({ KLUSTER_FAULT_MODE: 'fail:two,' })).toThrow('not understood');
  });
});
