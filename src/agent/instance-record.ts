import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import type { InstanceSpec } from '../core/agent-protocol.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import { instanceId, type InstanceId } from '../core/ids.ts';
import { syncDirectory } from '../engines/file-tree.ts';
import { replaceFile } from '../engines/replace-file.ts';
import { CpuLimitBody, parseSpec } from './bodies.ts';

/**
 * What the agent knows of an instance when it starts again. The record exists before the first directory and until
 * the last one is gone.
 */
export interface InstanceRecord {
  readonly instanceId: InstanceId;
  readonly spec: InstanceSpec;
  /** Written into every directory of the instance: only what carries it is ever removed. */
  readonly token: string;
  /** `remaking`: exists, and is emptied and made again; unlike `creating`, a failure does not take it away. */
  phase: 'creating' | 'remaking' | 'created' | 'deleting';
  desired: 'running' | 'stopped';
  engineVersion: string;
  cpuLimit: { cores: number; mode: 'quota' | 'share' } | null;
  restarts: number;
  lastExit: { at: string; reason: string } | null;
  /** The latest restarts that were asked for, oldest first. */
  operationKeys: string[];
  /** The key of the last request that had it made again. */
  remadeBy?: string;
}

const StoredRecord = Type.Object({
  instanceId: Type.String(),
  spec: Type.Unknown(),
  token: Type.String({ minLength: 1 }),
  phase: Type.Union([
    Type.Literal('creating'),
    Type.Literal('remaking'),
    Type.Literal('created'),
    Type.Literal('deleting'),
  ]),
  desired: Type.Union([Type.Literal('running'), Type.Literal('stopped')]),
  engineVersion: Type.String(),
  cpuLimit: Type.Union([CpuLimitBody, Type.Null()]),
  restarts: Type.Integer(),
  lastExit: Type.Union([Type.Object({ at: Type.String(), reason: Type.String() }), Type.Null()]),
  operationKeys: Type.Array(Type.String()),
  remadeBy: Type.Optional(Type.String()),
});

const extension = '.json';

/** One file per instance: `<directory>/<id>.json`. */
export class RecordStore {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<RecordStore> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new RecordStore(directory);
  }

  #path(id: InstanceId): string {
    return join(this.#directory, `${id}${extension}`);
  }

  async save(record: InstanceRecord): Promise<void> {
    await replaceFile(this.#path(record.instanceId), JSON.stringify(record, null, 2));
  }

  async delete(id: InstanceId): Promise<void> {
    await rm(this.#path(id), { force: true });
    await syncDirectory(this.#directory);
  }

  /**
   * All records. @throws KlusterError internal naming a file that is not one: guessing what an instance was could
   * remove or start the wrong thing.
   */
  async load(): Promise<readonly InstanceRecord[]> {
    const names = await readdir(this.#directory);
    const leftovers = names.filter((name) => name.endsWith('.tmp'));
    for (const name of leftovers) await rm(join(this.#directory, name), { force: true });
    const files = names.filter((name) => name.endsWith(extension));
    return Promise.all(files.map((name) => this.#read(join(this.#directory, name))));
  }

  async #read(path: string): Promise<InstanceRecord> {
    const text = await readFile(path, 'utf8');
    try {
      const stored = Value.Parse(StoredRecord, JSON.parse(text));
      return { ...stored, instanceId: instanceId(stored.instanceId), spec: parseSpec(stored.spec) };
    } catch (error) {
      throw new KlusterError('internal', `${path} is not a record of an instance: ${errorText(error)}`, {
        cause: error,
      });
    }
  }
}
