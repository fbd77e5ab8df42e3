import { pino } from 'pino';
import type { AgentOptions } from './context.ts';
import type { RunningServer } from './serve.ts';

/** The servers are loaded only by the commands that run them: the others start in a moment. */
export async function startManagerServer(options: { readonly home: string }): Promise<RunningServer> {
  const { startManager } = await import('../manager/start.ts');
  return startManager(options);
}

/** Logs to stdout, one JSON object per line. */
export async function startAgentServer(options: AgentOptions): Promise<RunningServer> {
  const { startAgent } = await import('../agent/agent.ts');
  return startAgent({ ...options, logger: pino({ name: 'agent' }) });
}
