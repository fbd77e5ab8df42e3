import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { linkedSignal, withDeadline } from '../../../src/core/abort.ts';

const never = new Promise<never>(() => undefined);

describe('deadlines', () => {
  it('ends the wait for what ignores its signal', async () => {
    await expect(withDeadline(20, undefined, () => never)).rejects.toThrow('not done within 20 ms');
  });

  it("gives the parent's own reason when the parent is aborted first", async () => {
    const parent = new AbortController();
    const reason = new Error('enough');
    const waiting = withDeadline(10_000, parent.signal, () => never);
    parent.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(withDeadline(10_000, parent.signal, () => Promise.resolve(1))).rejects.toBe(reason);
  });

  it('lets many wait under one of them without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const take = (warning: Error) => warnings.push(warning);
    process.on('warning', take);
    const some = (signal: AbortSignal) => withDeadline(10_000, signal, () => sleep(1));
    await withDeadline(10_000, undefined, (signal) =>
      Promise.all(Array.from({ length: 20 }, () => some(signal))),
    );
    // They are told of on the next tick.
    await sleep(1);
    process.off('warning', take);
    expect(warnings).toEqual([]);
  });

  it('leaves nothing behind that a later abort could reach', async () => {
    const parent = new AbortController();
    let inner: AbortSignal | undefined;
    await withDeadline(10_000, parent.signal, (signal) => {
      inner = signal;
      return Promise.resolve();
    });
    parent.abort();
    expect(inner?.aborted).toBe(false);
  });

  it('links to several parents until it is released', () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const linked = linkedSignal(first.signal, second.signal);
    const released = linkedSignal(first.signal, second.signal);
    released.release();
    second.abort(new Error('second'));
    expect(linked.signal.reason).toEqual(new Error('second'));
    expect(released.signal.aborted).toBe(false);
    expect(linkedSignal(first.signal, second.signal).signal.aborted).toBe(true);
  });
});
