import { randomUUID } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import type {
  FormerSetting,
  Account,
  AgentEvent,
  InstanceSpec,
  InstanceView,
  SavedTransactions,
  SaveTransactionsRequest,
  StopRequest,
  StrayProcess,
  Strays,
} from '../core/agent-protocol.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { InstanceId } from '../core/ids.ts';
import { sortedJson, type Json } from '../core/json.ts';
import type { CpuLimit } from '../core/model.ts';
import { unseal } from '../core/seal.ts';
import type { EngineInstance } from '../engines/engine.ts';
import { lockFile, type FileLock } from '../engines/file-lock.ts';
import { engineUser, type EngineUser } from '../engines/installation.ts';
import { AccountsText, parseBody, parseSpec } from './bodies.ts';
import { detectCgroup } from './cgroup/detect.ts';
import type { CgroupDriver } from './cgroup/driver.ts';
import { tokened } from './cgroup/tokened.ts';
import { Engines } from './engines.ts';
import { strayDirectories } from './instance-directories.ts';
import { RecordStore, type InstanceRecord } from './instance-record.ts';
import { Instance } from './instance.ts';
import { strayProcesses } from './stray-processes.ts';

export interface InstancesOptions {
  /** Where the agent keeps what it knows; made when missing. One agent at a time. */
  readonly stateDirectory: string;
  /** The installation's secret: opens `sealedAccounts`, yields the password of the agent's own accounts. */
  readonly secret: string;
  /** Default: `<stateDirectory>/templates`. Agents of one machine may share it. */
  readonly templateDirectory?: string;
  /** Default: the usual places. */
  readonly mysqlDirectory?: string;
  readonly postgresDirectory?: string;
  /** Default: found out; null: none. */
  readonly cgroup?: CgroupDriver | null;
  readonly logger?: Logger;
  /** How long to wait for an earlier agent to let go of the state directory. */
  readonly lockWaitMs?: number;
}

export type InstancesEvent = Extract<AgentEvent, { type: 'instance' | 'removed' }>;

const defaultLockWaitMs = 10_000;

/** All instances of one machine: makes, supervises and removes them. Processes outlive it. */
export class Instances {
  readonly engines: Engines;
  readonly cgroup: CgroupDriver | null;
  readonly #secret: string;
  readonly #user: EngineUser;
  readonly #store: RecordStore;
  readonly #lock: FileLock;
  readonly #logger: Logger;
  readonly #instances = new Map<InstanceId, Instance>();
  readonly #listeners = new Set<(event: InstancesEvent) => void>();

  private constructor(parts: {
    options: InstancesOptions;
    engines: Engines;
    user: EngineUser;
    store: RecordStore;
    lock: FileLock;
    logger: Logger;
  }) {
    const { options } = parts;
    this.engines = parts.engines;
    this.cgroup = options.cgroup === undefined ? detectCgroup() : options.cgroup;
    this.#secret = options.secret;
    this.#user = parts.user;
    this.#store = parts.store;
    this.#lock = parts.lock;
    this.#logger = parts.logger;
  }

  /**
   * Reads the records, adopts the processes that run, and goes on in the background with what was begun.
   * @throws KlusterError internal when another agent uses the state directory or a record cannot be read.
   */
  static async open(options: InstancesOptions): Promise<Instances> {
    const { stateDirectory } = options;
    const logger = options.logger ?? pino({ level: 'silent' });
    await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
    const lock = await lockState(stateDirectory, options.lockWaitMs ?? defaultLockWaitMs);
    try {
      const user = await engineUser();
      const templates = options.templateDirectory ?? join(stateDirectory, 'templates');
      await mkdir(templates, { recursive: true });
      await chmod(templates, 0o711);
      const engines = await Engines.open({ ...options, user, templateDirectory: templates });
      const store = await RecordStore.open(join(stateDirectory, 'instances'));
      const instances = new Instances({ options, engines, user, store, lock, logger });
      await instances.#resume(await store.load());
      return instances;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async #resume(records: readonly InstanceRecord[]): Promise<void> {
    for (const record of records) this.#add(record, this.#engineOf(record.instanceId, record.spec));
    const all = [...this.#instances.values()];
    for (const instance of all) await instance.adopt();
    for (const instance of all) {
      instance.carryOn().then(
        () => {
          this.#forgetRemoved(instance);
        },
        (error: unknown) => {
          const { instanceId } = instance.record;
          this.#logger.error({ instance: instanceId, reason: errorText(error) }, 'could not be taken up');
          this.#forgetRemoved(instance);
        },
      );
    }
  }

  /** Listens to every change and removal; returns the way to stop. */
  subscribe(listener: (event: InstancesEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  list(): readonly InstanceView[] {
    return [...this.#instances.values()].map((instance) => instance.view());
  }

  /** What agents have left below these base directories: of earlier instances, of lost state directories. */
  async strays(bases: readonly string[]): Promise<Strays> {
    const owned = [...this.#instances.values()].map((instance) => instance.owned);
    const directories: string[] = [];
    const processes: StrayProcess[] = [];
    for (const base of new Set(bases)) {
      directories.push(...(await strayDirectories(base, owned)));
      processes.push(...strayProcesses(base, owned, this.#user.uid));
    }
    return { directories, processes };
  }

  specs(): readonly InstanceSpec[] {
    return [...this.#instances.values()].map(({ record }) => record.spec);
  }

  /** @throws KlusterError instance_not_found */
  get(id: InstanceId): InstanceView {
    return this.#find(id).view();
  }

  /**
   * Makes an instance and returns when it serves. The same specification again joins or continues; when the making
   * fails, nothing of it is left.
   * @throws KlusterError instance_conflict, port_busy, engine_missing, instance_start_failed, invalid_parameters
   */
  async create(id: InstanceId, body: InstanceSpec): Promise<InstanceView> {
    const spec = parseSpec(body);
    const known = this.#instances.get(id);
    if (known === undefined) return this.#createNew(id, spec);
    if (known.record.phase === 'deleting') {
      await this.remove(id);
      return this.create(id, spec);
    }
    if (this.#essence(known.record.spec) !== this.#essence(spec)) {
      throw new KlusterError('instance_conflict', `Instance ${id} exists with another specification`);
    }
    return known.record.phase === 'creating' ? known.create() : known.start();
  }

  async #createNew(id: InstanceId, spec: InstanceSpec): Promise<InstanceView> {
    const engine = this.#engineOf(id, spec);
    this.#assertPortsUnclaimed(engine);
    const instance = this.#add(
      {
        instanceId: id,
        spec,
        token: randomUUID(),
        phase: 'creating',
        desired: 'running',
        engineVersion: engine.version,
        cpuLimit: spec.cpuLimit ?? null,
        restarts: 0,
        lastExit: null,
        operationKeys: [],
      },
      engine,
    );
    try {
      return await instance.create();
    } catch (error) {
      this.#forgetRemoved(instance);
      throw error;
    }
  }

  async start(id: InstanceId): Promise<InstanceView> {
    return this.#find(id).start();
  }

  async stop(id: InstanceId, mode: StopRequest['mode']): Promise<InstanceView> {
    return this.#find(id).stop(mode);
  }

  async restart(
    id: InstanceId,
    operationKey: string,
    mode: StopRequest['mode'] = 'fast',
  ): Promise<InstanceView> {
    return this.#find(id).restart(operationKey, mode);
  }

  /** All data is removed, and the instance made again from the template; once per key. */
  async remake(id: InstanceId, operationKey: string): Promise<InstanceView> {
    return this.#find(id).remake(operationKey);
  }

  async saveTransactions(id: InstanceId, request: SaveTransactionsRequest): Promise<SavedTransactions> {
    return this.#find(id).saveTransactions(request);
  }

  async restoreSetting(id: InstanceId, former: FormerSetting): Promise<void> {
    await this.#find(id).restoreSetting(former);
  }

  /** @throws KlusterError cgroup_unavailable */
  async setCpuLimit(id: InstanceId, limit: CpuLimit | null): Promise<CpuLimit | null> {
    return this.#find(id).setCpuLimit(limit);
  }

  /** Ends the process and removes every directory; nothing to do when there is no such instance. */
  async remove(id: InstanceId): Promise<void> {
    const instance = this.#instances.get(id);
    if (instance === undefined) return;
    await instance.remove();
    this.#forgetRemoved(instance);
  }

  /** Stops supervising. Engine processes live on; the next agent adopts them. */
  async close(): Promise<void> {
    this.#listeners.clear();
    await Promise.all([...this.#instances.values()].map((instance) => instance.release()));
    await this.#lock.release();
  }

  #find(id: InstanceId): Instance {
    const instance = this.#instances.get(id);
    if (instance !== undefined) return instance;
    throw new KlusterError('instance_not_found', `There is no instance ${id} on this machine`);
  }

  #add(record: InstanceRecord, engine: EngineInstance): Instance {
    const instance = new Instance({
      record,
      engine,
      user: this.#user,
      store: this.#store,
      cgroup: this.cgroup === null ? null : tokened(this.cgroup, record.token),
      logger: this.#logger,
      changed: (view) => {
        this.#tell({ type: 'instance', at: new Date().toISOString(), instance: view });
      },
    });
    this.#instances.set(record.instanceId, instance);
    return instance;
  }

  #forgetRemoved(instance: Instance): void {
    const { instanceId } = instance.record;
    if (!instance.removed || this.#instances.get(instanceId) !== instance) return;
    this.#instances.delete(instanceId);
    this.#tell({ type: 'removed', at: new Date().toISOString(), instanceId });
  }

  #tell(event: InstancesEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #engineOf(id: InstanceId, spec: InstanceSpec): EngineInstance {
    return this.engines.instance({ id, spec, accounts: this.#accounts(spec), secret: this.#secret });
  }

  /** A stopped instance keeps its ports. @throws KlusterError port_busy */
  #assertPortsUnclaimed(engine: EngineInstance): void {
    for (const { record } of this.#instances.values()) {
      const other = record.spec;
      const taken = other.hostaddr === engine.hostaddr && engine.ports.includes(other.port);
      if (taken) {
        throw new KlusterError(
          'port_busy',
          `Port ${String(other.port)} on ${other.hostaddr} belongs to instance ${record.instanceId}`,
        );
      }
    }
  }

  #accounts(spec: InstanceSpec): readonly Account[] {
    let text: string;
    try {
      text = unseal(this.#secret, 'agent-accounts', spec.sealedAccounts);
    } catch (error) {
      throw new KlusterError(
        'bad_request',
        'sealedAccounts cannot be opened: it was sealed with another secret, or altered',
        { cause: error },
      );
    }
    return parseBody(AccountsText, JSON.parse(text));
  }

  /** What makes two specifications the same: sealing the same accounts gives another text every time. */
  #essence(spec: InstanceSpec): string {
    const { sealedAccounts: _, ...open } = spec;
    return sortedJson({ ...open, accounts: this.#accounts(spec) } as unknown as Json);
  }
}

async function lockState(stateDirectory: string, waitMs: number): Promise<FileLock> {
  try {
    return await lockFile(join(stateDirectory, 'agent.lock'), AbortSignal.timeout(waitMs));
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    throw new KlusterError('internal', `Another agent uses the state directory ${stateDirectory}`, {
      cause: error,
    });
  }
}
