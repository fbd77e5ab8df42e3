import { serveUntilSignal } from '../../src/cli/serve.ts';
import { startManager } from '../../src/manager/start.ts';
import { obeyClock } from './stepped-clock.ts';

/** What a manager that stands by is told on its standard input when its turn has come. */
export interface ManagerOrder {
  readonly home: string;
  /** Added to the environment: fault modes. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * A manager for tests that kill it: everything is loaded before it is told to start, because loading takes most of the
 * time and tests start dozens. Without a word on standard input it ends.
 */
obeyClock(process.env);
let text = '';
for await (const part of process.stdin.setEncoding('utf8')) text += String(part);
if (text !== '') {
  const order = JSON.parse(text) as ManagerOrder;
  Object.assign(process.env, order.environment);
  await serveUntilSignal(() => startManager({ home: order.home }));
}
