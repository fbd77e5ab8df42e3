/** What `npm run sanitize` tells the tests: libraries to preload into compute nodes, and where their reports go. */
export const preloadVariable = 'KLUSTER_TEST_PRELOAD';
export const reportsVariable = 'KLUSTER_TEST_REPORTS';

/** For the process of a compute node whose extension is built with sanitizers; nothing in other runs. */
export function sanitizerEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const [preload, reports] = [environment[preloadVariable], environment[reportsVariable]];
  if (preload === undefined || reports === undefined) return {};
  // A backend that leaks ends as any other: PostgreSQL would take another exit status for a crash.
  const address = ['detect_leaks=1', 'exitcode=0', 'abort_on_error=1', `log_path=${reports}/address`];
  const undefinedBehaviour = ['print_stacktrace=1', `log_path=${reports}/undefined`];
  return {
    LD_PRELOAD: preload,
    ASAN_OPTIONS: address.join(':'),
    UBSAN_OPTIONS: undefinedBehaviour.join(':'),
  };
}
