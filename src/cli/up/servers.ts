import { withDeadline } from '../../core/abort.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { KlusterError, errorText } from '../../core/errors/kluster-error.ts';
import { isMissing } from '../../manager/json-file.ts';
import type { Home } from '../../manager/home.ts';
import { managerUrl, type HomeConfig } from '../../manager/home-config.ts';
import { readLiveProcess } from '../../manager/process-file.ts';
import type { CliContext } from '../context.ts';
import { remark } from '../terminal.ts';
import { lastLines, startDaemon } from '../daemon.ts';
import { urlHost } from '../../core/url-host.ts';

export type ServerRole = 'manager' | 'agent';

const shownLogLines = 20;
const pollMs = 50;
/** Making the first metadata server initialises a data directory, which is slow on a busy machine. */
const startDeadlineMs = 120_000;
const probeMs = 1000;

function pidFileOf(home: Home, role: ServerRole): string {
  return role === 'manager' ? home.managerPidFile : home.agentPidFile;
}

export function logFileOf(home: Home, role: ServerRole): string {
  return role === 'manager' ? home.managerLog : home.agentLog;
}

function healthUrl(config: HomeConfig, role: ServerRole): string {
  return role === 'manager'
    ? `${managerUrl(config)}/healthz`
    : `http://${urlHost(config.hostaddr)}:${String(config.agentPort)}/v1/health`;
}

/** A probe that says why not, `undefined` when the server is healthy. */
async function unhealthy(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await withDeadline(probeMs, signal, async (bounded) => {
      const response = await fetch(url, { signal: bounded });
      const body = await response.text();
      return response.ok ? undefined : `${url} answers ${String(response.status)}: ${body}`;
    });
  } catch (error) {
    signal.throwIfAborted();
    return `${url}: ${errorText(error)}`;
  }
}

/**
 * Makes sure that a server of this home runs and is healthy. Resolves to whether it had to be started. When it ends
 * or does not become healthy in time, the error carries the last lines of its log.
 */
export async function ensureServer(
  context: CliContext,
  server: { readonly home: Home; readonly config: HomeConfig; readonly role: ServerRole },
): Promise<boolean> {
  const { home, config, role } = server;
  const url = healthUrl(config, role);
  const running = await readLiveProcess(pidFileOf(home, role));
  if (running !== undefined && (await unhealthy(url, context.interrupted)) === undefined) return false;

  let ended: string | undefined;
  if (running === undefined) {
    remark(context.terminal, `starting the ${role}`);
    const daemon = await startDaemon({
      program: context.program,
      arguments: [role, '--home', home.directory],
      environment: { ...context.environment, KLUSTER_HOME: home.directory },
      logFile: logFileOf(home, role),
    });
    void daemon.ended.then((how) => {
      ended = how;
    });
  }
  const deadline = performance.now() + startDeadlineMs;
  for (;;) {
    const reason = await unhealthy(url, context.interrupted);
    if (reason === undefined) return running === undefined;
    if (ended !== undefined) throw await startError(home, role, `it ended with ${ended}`);
    if (performance.now() > deadline) {
      throw await startError(home, role, `not healthy after ${String(startDeadlineMs / 1000)} s: ${reason}`);
    }
    await pause(pollMs, undefined, { signal: context.interrupted });
  }
}

async function startError(home: Home, role: ServerRole, reason: string): Promise<KlusterError> {
  const log = logFileOf(home, role);
  let tail: readonly string[];
  try {
    tail = await lastLines(log, shownLogLines);
  } catch (error) {
    if (!isMissing(error)) throw error;
    tail = [];
  }
  return new KlusterError(
    'server_start_failed',
    `the ${role} did not start: ${reason}; last lines of ${log}:\n${tail.join('\n')}`,
  );
}
