import type { InstanceView } from '../core/agent-protocol.ts';
import type { EngineInstance } from '../engines/engine.ts';
import type { EngineUser } from '../engines/installation.ts';
import { InstanceDisks } from './disk/disks.ts';
import { PulseOfRuns } from './pulse.ts';

export interface VitalSignsOptions {
  readonly engine: EngineInstance;
  readonly user: EngineUser;
  /** Called when a sign is another one. */
  changed(): void;
  /** Called when the engine may write again after its disks had kept it from that. */
  writable(): void;
}

/** What tells whether an instance can do its work: does its engine answer, and do its disks? */
export class VitalSigns {
  readonly #options: VitalSignsOptions;
  readonly #pulse: PulseOfRuns;
  #disks: InstanceDisks | null = null;
  #wasWritable = true;

  constructor(options: VitalSignsOptions) {
    this.#options = options;
    this.#pulse = new PulseOfRuns(options.engine, () => {
      options.changed();
    });
  }

  get view(): Pick<InstanceView, 'health' | 'standing' | 'disk'> {
    const disk = this.#disks?.report ?? null;
    return { ...this.#pulse.view, ...(disk !== null && { disk }) };
  }

  /** The directories are there. Engines that are not asked for their pulse are not looked at. */
  watchDisks(): void {
    const { engine, user } = this.#options;
    if (engine.openPulse === null) return;
    this.#disks ??= new InstanceDisks(engine.directories, user, () => {
      this.#disksChanged();
    });
  }

  /** The directories will be removed. */
  leaveDisks(): void {
    this.#disks?.stop();
    this.#disks = null;
  }

  /** A process has become ready. */
  beginPulse(): void {
    this.#pulse.begin();
  }

  /** The process has ended. */
  async endPulse(): Promise<void> {
    await this.#pulse.end();
  }

  #disksChanged(): void {
    const state = this.#disks?.report?.state;
    const isWritable = state === 'room' || state === 'low';
    this.#options.changed();
    if (isWritable && !this.#wasWritable) this.#options.writable();
    this.#wasWritable = isWritable;
  }
}
