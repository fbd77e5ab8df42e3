import { setMaxListeners } from 'node:events';

/**
 * An abort controller whose signal many listen to at once: steps of a job, nodes that are asked side by side. Node warns of a leak at the
 * eleventh listener of a signal; each of ours is removed when what it is for has ended.
 */
export function sharedAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
