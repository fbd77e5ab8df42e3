import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskReport } from '../../core/agent-protocol.ts';
import type { EngineUser } from '../../engines/installation.ts';
import { availableBytes, DiskWatch } from './disk-watch.ts';
import { WriteProbe } from './write-probe.ts';

/** In a directory of an instance, and removed with it. */
const probeFile = '.kluster-write-probe';
/** The worst first. */
const severity: readonly DiskReport['state'][] = ['frozen', 'failing', 'full', 'low', 'room'];

/** The disks under the directories of one instance. */
export class InstanceDisks {
  readonly #watches: readonly DiskWatch[];

  /** One watch per file system. The engine's user may write into the directories. */
  constructor(directories: readonly string[], user: EngineUser, changed: () => void) {
    const byDevice = new Map(
      directories.flatMap((directory) => {
        const found = statSync(directory, { throwIfNoEntry: false });
        return found === undefined ? [] : [[found.dev, directory] as const];
      }),
    );
    this.#watches = [...byDevice.values()].map(
      (directory) =>
        new DiskWatch({
          senses: {
            write: () => new WriteProbe(join(directory, probeFile), user),
            available: () => availableBytes(directory),
          },
          changed,
        }),
    );
  }

  /** Of the one that is worst off. */
  get report(): DiskReport | null {
    const reports = this.#watches.map(({ report }) => report);
    return severity.flatMap((state) => reports.find((report) => report.state === state) ?? [])[0] ?? null;
  }

  stop(): void {
    for (const watch of this.#watches) watch.stop();
  }
}
