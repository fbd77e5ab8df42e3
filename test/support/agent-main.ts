import { startAgent, type AgentOptions } from '../../src/agent/agent.ts';
import { obeyClock } from './stepped-clock.ts';

/** An agent for tests that kill it; its options are the only argument. */
const [, , json] = process.argv;
if (json === undefined) throw new Error('usage: agent-main <options as JSON>');
obeyClock(process.env);
await startAgent(JSON.parse(json) as AgentOptions);
console.log('serving');
