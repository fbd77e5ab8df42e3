import { open, stat } from 'node:fs/promises';

const longest = 64 * 1024;

export async function fileSize(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
      throw error;
    },
  );
}

/** The end of a log file, at most 64 KiB, and nothing before `from`. */
export async function logSince(path: string, from: number): Promise<string> {
  const size = await fileSize(path);
  const start = Math.max(from, size - longest);
  if (size <= start) return '';
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The lines that say why, for an error message: the last ones, those of errors first choice. */
export function tellingLines(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /\[ERROR\]|FATAL|PANIC|ERROR:/.test(line));
  const chosen = errors.length > 0 ? errors : lines;
  return chosen.slice(-3).join(' | ').slice(-1_000);
}
