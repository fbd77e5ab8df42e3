import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withDeadline } from '../core/abort.ts';
import { makeOwnDirectory } from './file-tree.ts';
import { lockFile } from './file-lock.ts';
import type { EngineUser } from './installation.ts';

/** A data directory in its first state, made once per machine and engine version, copied for every instance. */
export interface Template {
  /** Names engine, version and revision of how it is made, e.g. `mysql-9.7.4-1`. */
  readonly name: string;
  /** Makes the data directory inside of `directory`, which is empty and belongs to the engine user. */
  build(directory: string, signal: AbortSignal): Promise<void>;
}

const complete = 'complete';
const makingMs = 180_000;

/** Several creations at once, in this process or another one, wait for one making. */
export class TemplateStore {
  readonly #root: string;
  readonly #user: EngineUser;
  readonly #making = new Map<string, Promise<string>>();

  constructor(root: string, user: EngineUser) {
    this.#root = root;
    this.#user = user;
  }

  /** The directory of the finished template. The first caller's failure is the failure of all who wait with it. */
  async directory(template: Template): Promise<string> {
    const making = this.#making.get(template.name);
    if (making !== undefined) return making;
    // Not the caller's signal: others may wait for the same template.
    const made = withDeadline(makingMs, undefined, (signal) => this.#findOrMake(template, signal)).finally(
      () => {
        this.#making.delete(template.name);
      },
    );
    this.#making.set(template.name, made);
    return made;
  }

  async #findOrMake(template: Template, signal: AbortSignal): Promise<string> {
    const final = join(this.#root, template.name, complete);
    if (await exists(final)) return final;
    const parent = join(this.#root, template.name);
    await mkdir(parent, { recursive: true });
    const lock = await lockFile(join(this.#root, `${template.name}.lock`), signal);
    try {
      if (await exists(final)) return final;
      await removeHalfMade(parent);
      await this.#make(template, { parent, final, signal });
      return final;
    } finally {
      await lock.release();
    }
  }

  /** Appears under its name by one rename: a half-made template is never used. */
  async #make(
    template: Template,
    { parent, final, signal }: { parent: string; final: string; signal: AbortSignal },
  ): Promise<void> {
    const making = await mkdtemp(join(parent, 'making-'));
    await chmod(making, 0o711);
    const directory = join(making, 'data');
    try {
      await makeOwnDirectory(directory, this.#user);
      await template.build(directory, signal);
      await rename(directory, final);
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/** What a process left that was killed while it made this template; the caller holds the lock. */
async function removeHalfMade(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    await rm(join(parent, name), { recursive: true, force: true });
  }
}
