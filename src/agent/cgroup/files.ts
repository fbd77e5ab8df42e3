import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Synchronous on purpose: these files live in memory, and a fresh process must be in its group before it forks. */
export const readControl = (path: string): string => readFileSync(path, 'utf8').trim();

export function writeControl(path: string, value: string): void {
  writeFileSync(path, value);
}

export function makeGroup(path: string): void {
  mkdirSync(path, { recursive: true });
}

export function removeGroup(path: string): void {
  if (existsSync(path)) rmdirSync(path);
}

export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

/** An ended process leaves its group a moment after its parent knows; until then the kernel refuses with EBUSY. */
export async function whenNotBusy(work: () => void): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      work();
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY') || attempt === 20)
        throw error;
    }
    await sleep(25);
  }
}
