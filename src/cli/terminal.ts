import type { Writable } from 'node:stream';

/** Where a command speaks to: people on a terminal, or a program. */
export interface Terminal {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether a person watches on a terminal that understands cursor movement. */
  readonly interactive: boolean;
  /** Columns of the terminal. */
  readonly columns: () => number;
}

export const processTerminal: Terminal = {
  stdout: process.stdout,
  stderr: process.stderr,
  interactive: process.stdout.isTTY && process.stderr.isTTY && process.env['TERM'] !== 'dumb',
  columns: () => process.stderr.columns || 80,
};

export function printLine(terminal: Terminal, text: string): void {
  terminal.stdout.write(`${text}\n`);
}

export function printJson(terminal: Terminal, value: unknown): void {
  printLine(terminal, JSON.stringify(value, null, 2));
}

/** For people only: progress and remarks, kept apart from the result on stdout. */
export function remark(terminal: Terminal, text: string): void {
  terminal.stderr.write(`${text}\n`);
}
