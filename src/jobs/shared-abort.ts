import { setMaxListeners } from 'node:events';

/**
 * An abort controller whose signal many steps listen to at once. Node warns of a leak at the eleventh listener of a
 * signal; each of ours is removed when its step has ended.
 */
export function sharedAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
