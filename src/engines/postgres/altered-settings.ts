import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FormerSetting } from '../../core/agent-protocol.ts';
import { replaceFile } from '../replace-file.ts';

const fileName = 'postgresql.auto.conf';

/** What ALTER SYSTEM has written, with a setting as it was. One line per setting: the server writes it so. */
export function withFormerLine(text: string, { name, value }: FormerSetting): string {
  const others = text
    .split('\n')
    .filter((line) => line.split('=')[0]?.trim().toLowerCase() !== name.toLowerCase());
  const kept = others.join('\n').trimEnd();
  return value === null ? `${kept}\n` : `${kept}\n${name} = ${quoted(value)}\n`;
}

/** As the server writes it: it refuses line ends in a setting. */
const quoted = (value: string): string => `'${value.replaceAll(/['\\]/g, '$&$&')}'`;

/** While the server is down: puts back what a setting was. */
export async function restoreAltered(dataDirectory: string, former: FormerSetting): Promise<void> {
  const path = join(dataDirectory, fileName);
  await replaceFile(path, withFormerLine(await readFile(path, 'utf8'), former));
}
