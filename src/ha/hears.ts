import { type HostPort, sameAddress } from '../core/model.ts';
import { freshHeartbeatMs } from '../engines/mysql/channel.ts';
import { type NodeAnswer } from './shard-observation.ts';

/** A connection that has been opened just now may not have heard anything yet. */
export function hears({ channel }: NodeAnswer, source: HostPort): boolean {
  if (channel === null || !channel.receiverRunning || !sameAddress(channel.source, source)) return false;
  return channel.heardMs === null || channel.heardMs < freshHeartbeatMs;
}

/** It follows this source and is meant to receive from it, and does not: the network between them, or a login refused. */
export function isCutOff(answer: NodeAnswer, source: HostPort): boolean {
  const { channel } = answer;
  if (channel === null || !sameAddress(channel.source, source) || !channel.applierRunning) return false;
  return channel.connecting || (channel.receiverRunning && !hears(answer, source));
}
