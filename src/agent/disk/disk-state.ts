import type { DiskReport } from '../../core/agent-protocol.ts';
import type { WriteOutcome } from './write-probe.ts';

const mebibyte = 1024 * 1024;
/** An engine asks for a few MiB at once when a table grows; with less it fails or waits. */
const fullBelowBytes = 8 * mebibyte;
/** A disk that was full is so until there is this much. */
const emptyAgainBytes = 16 * mebibyte;
/** With less a server should not be given more to do. */
const lowBelowBytes = 64 * mebibyte;

/** What one look at a disk gave; space null: not looked at. */
export interface DiskLook {
  readonly write: WriteOutcome;
  readonly availableBytes: number | null;
}

/** Pure: what a disk is after a look, of which the write has come back. */
export function diskAfter(before: DiskReport['state'], { write, availableBytes }: DiskLook): DiskReport {
  const availableMb = availableBytes === null ? null : Math.floor(availableBytes / mebibyte);
  if (write.kind === 'refused') return { state: 'failing', availableMb, reason: write.reason };
  const bytes = availableBytes ?? Number.MAX_SAFE_INTEGER;
  const limit = before === 'full' ? emptyAgainBytes : fullBelowBytes;
  if (write.kind === 'no_room' || bytes < limit) return { state: 'full', availableMb, reason: null };
  return { state: bytes < lowBelowBytes ? 'low' : 'room', availableMb, reason: null };
}
