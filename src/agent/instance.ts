import type { Logger } from 'pino';
import type {
  FormerSetting,
  InstanceState,
  InstanceView,
  SavedTransactions,
  SaveTransactionsRequest,
  StopRequest,
} from '../core/agent-protocol.ts';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { CpuLimit } from '../core/model.ts';
import type { EngineInstance } from '../engines/engine.ts';
import type { EngineUser } from '../engines/installation.ts';
import { findByArgument, processTree } from '../engines/process-identity.ts';
import type { CgroupDriver } from './cgroup/driver.ts';
import { whenNotBusy } from './cgroup/files.ts';
import type { ProcessExit } from './engine-process.ts';
import { EngineRun } from './engine-run.ts';
import { applyCpuLimit, joinAll } from './cgroup/apply-limit.ts';
import { makeDirectories, removeDirectories, type OwnedDirectories } from './instance-directories.ts';
import type { InstanceRecord, RecordStore } from './instance-record.ts';
import { recordedView } from './instance-view.ts';
import { RecordKeeper } from './record-keeper.ts';
import { RestartTimer } from './restart-timer.ts';
import { VitalSigns } from './vital-signs.ts';

export interface InstanceOptions {
  readonly record: InstanceRecord;
  readonly engine: EngineInstance;
  readonly user: EngineUser;
  readonly store: RecordStore;
  readonly cgroup: CgroupDriver | null;
  readonly logger: Logger;
  /** Called at every change, at once. */
  changed(view: InstanceView): void;
}

/** An orderly shutdown that takes longer is cut short; engines recover from that. */
const orderlyStopMs = 90_000;
/** A call waits this long for an engine to be ready; the engine may go on with its recovery after that. */
const readyWaitMs = 150_000;
const rememberedOperations = 32;

/**
 * One supervised instance. Operations run one after another; stopping and removing interrupt starting. What is
 * desired is on disk before it is done, so that the next agent carries on where this one ended.
 */
export class Instance {
  readonly #options: InstanceOptions;
  readonly #record: InstanceRecord;
  readonly #keeper: RecordKeeper;
  readonly #warnings = new Map<string, string>();
  #run: EngineRun | null = null;
  readonly #signs: VitalSigns;
  #stopping = false;
  /** An operation is under way. */
  #working = false;
  readonly #restarts = new RestartTimer((cancelled) => this.#restartNow(cancelled));
  #starting = new AbortController();
  #operations: Promise<unknown> = Promise.resolve();
  #creation: Promise<InstanceView> | null = null;
  #gone = false;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#record = options.record;
    this.#keeper = new RecordKeeper(options.record, options.store);
    this.#signs = new VitalSigns({
      ...options,
      changed: () => {
        this.#changed();
      },
      writable: () => {
        this.#restarts.hurry();
      },
    });
  }

  get record(): Readonly<InstanceRecord> {
    return this.#record;
  }

  get owned(): OwnedDirectories {
    const { engine, record } = this.#options;
    return { instanceId: record.instanceId, directories: engine.directories, token: record.token };
  }

  /** True when nothing of it is left. */
  get removed(): boolean {
    return this.#gone;
  }

  view(): InstanceView {
    return {
      ...recordedView(this.#record, this.#options.engine),
      state: this.#state(),
      pid: this.#run?.process.pid ?? null,
      warnings: [...this.#warnings.values()],
      ...this.#signs.view,
    };
  }

  #state(): InstanceState {
    if (this.#record.phase === 'deleting' || this.#stopping) return 'stopping';
    if (this.#record.phase !== 'created') return 'creating';
    if (this.#run !== null) return this.#run.isReady ? 'running' : 'starting';
    if (this.#record.desired === 'stopped') return 'stopped';
    const startComes = this.#restarts.isPending || this.#working;
    return this.#restarts.isFailing || !startComes ? 'failed' : 'starting';
  }

  /** Finds the process that an earlier agent started. Its command line tells, so no moment of that start matters. */
  async adopt(): Promise<void> {
    const { record, engine, user, logger } = this.#options;
    const [found, ...others] = findByArgument(engine.mark, user.uid);
    if (others.length > 0) logger.warn({ instance: record.instanceId, others }, 'more than one process');
    if (record.phase === 'created') this.#signs.watchDisks();
    if (found !== undefined) this.#watch(await EngineRun.adopt(this.#runInput(), found));
  }

  /** After `adopt`: starts, stops, or finishes making or removing, as the earlier agent had begun or meant to. */
  async carryOn(): Promise<void> {
    const { phase, desired } = this.#record;
    if (phase === 'deleting') await this.remove();
    else if (phase === 'creating') await this.#recreate();
    else if (phase === 'remaking') await this.#exclusive(() => this.#remakeNow());
    else if (desired === 'stopped') await this.#exclusive(() => this.#end('fast'));
    else if (this.#run === null) await this.start();
  }

  /**
   * Makes the instance and starts it; when that fails, removes all it made.
   * @throws KlusterError port_busy, engine_missing, instance_conflict, instance_start_failed
   */
  async create(): Promise<InstanceView> {
    this.#creation ??= this.#createOnce({ cleanFirst: false });
    return this.#creation;
  }

  /** What an earlier agent had made is of unknown completeness: it is removed and made again. */
  async #recreate(): Promise<void> {
    this.#creation ??= this.#createOnce({ cleanFirst: true });
    await this.#creation;
  }

  async #createOnce({ cleanFirst }: { cleanFirst: boolean }): Promise<InstanceView> {
    const { signal } = this.#starting;
    return this.#exclusive(async () => {
      this.#assertThere();
      try {
        signal.throwIfAborted();
        await this.#keeper.save();
        if (cleanFirst) {
          await this.#end('immediate');
          await removeDirectories(this.owned);
        }
        await this.#make(signal);
        return this.view();
      } catch (error) {
        await this.#takeAway();
        throw error;
      }
    });
  }

  /**
   * Removes all data and makes the instance again from the template, once per key. What fails is taken up again by the
   * next call, or by the next agent.
   */
  async remake(operationKey: string): Promise<InstanceView> {
    this.#interruptStarting();
    return this.#exclusive(async () => {
      this.#assertThere();
      if (this.#record.remadeBy !== operationKey) {
        this.#record.remadeBy = operationKey;
        this.#record.phase = 'remaking';
      }
      if (this.#record.phase === 'remaking') await this.#remakeNow();
      else await this.#startNow(this.#starting.signal);
      return this.view();
    });
  }

  async #remakeNow(): Promise<void> {
    this.#record.desired = 'running';
    this.#record.restarts = 0;
    this.#restarts.reset();
    await this.#keeper.save();
    await this.#end('immediate');
    this.#signs.leaveDisks();
    await removeDirectories(this.owned);
    await this.#make(this.#starting.signal);
  }

  async #make(signal: AbortSignal): Promise<void> {
    const { engine, user } = this.#options;
    this.#changed();
    await makeDirectories(this.owned, user);
    await engine.populate(signal);
    await this.#launch(true, signal);
    this.#record.phase = 'created';
    await this.#keeper.save();
    this.#changed();
  }

  /** @throws KlusterError port_busy, engine_missing, instance_start_failed */
  async start(): Promise<InstanceView> {
    const { signal } = this.#starting;
    return this.#exclusive(async () => {
      signal.throwIfAborted();
      this.#assertThere();
      await this.#startNow(signal);
      return this.view();
    });
  }

  async #startNow(signal: AbortSignal): Promise<void> {
    if (this.#record.phase === 'remaking') {
      throw new KlusterError('agent_refused', `${this.#record.instanceId} is being made again`);
    }
    this.#record.desired = 'running';
    this.#record.restarts = 0;
    this.#restarts.reset();
    await this.#keeper.save();
    this.#restarts.cancel();
    try {
      await this.#launch(false, signal);
    } catch (error) {
      // It stays desired, so it is tried again until somebody stops it.
      if (this.#run === null) this.#restarts.scheduleAfter(0);
      throw error;
    }
  }

  async stop(mode: StopRequest['mode']): Promise<InstanceView> {
    if (this.#record.phase === 'created') this.#interruptStarting();
    // Fencing must not wait for an orderly shutdown that is under way.
    if (mode === 'immediate') this.#run?.process.kill();
    return this.#exclusive(async () => {
      this.#assertThere();
      this.#record.desired = 'stopped';
      await this.#keeper.save();
      await this.#end(mode);
      return this.view();
    });
  }

  /** Restarts once per operation key; a key that was used before waits for the instance to be ready. */
  async restart(operationKey: string, mode: StopRequest['mode']): Promise<InstanceView> {
    const { signal } = this.#starting;
    const isKnown = (): boolean => this.#record.operationKeys.includes(operationKey);
    // Fencing must not wait for what is under way, nor for a disk that does not take the record.
    if (mode === 'immediate' && !isKnown()) this.#run?.process.kill();
    return this.#exclusive(async () => {
      signal.throwIfAborted();
      this.#assertThere();
      const { operationKeys } = this.#record;
      const repeated = isKnown();
      if (!repeated) {
        this.#record.operationKeys = [...operationKeys, operationKey].slice(-rememberedOperations);
        this.#record.desired = 'running';
        await this.#keeper.save();
        await this.#end(mode);
      }
      if (!repeated || this.#record.desired === 'running') await this.#startNow(signal);
      return this.view();
    });
  }

  /** @throws KlusterError bad_request when the engine has no transaction logs that could be read */
  async saveTransactions(request: SaveTransactionsRequest): Promise<SavedTransactions> {
    this.#assertThere();
    const { engine, record } = this.#options;
    if (engine.saveTransactions !== undefined) return engine.saveTransactions(request);
    throw new KlusterError('bad_request', `${record.instanceId} is no storage node`);
  }

  /** @throws KlusterError agent_refused while the process runs */
  async restoreSetting(former: FormerSetting): Promise<void> {
    await this.#exclusive(async () => {
      this.#assertThere();
      if (this.#run !== null) throw new KlusterError('agent_refused', `${this.#record.instanceId} runs`);
      await this.#options.engine.restoreSetting(former);
    });
  }

  /** @throws KlusterError cgroup_unavailable */
  async setCpuLimit(limit: CpuLimit | null): Promise<CpuLimit | null> {
    const { cgroup, record } = this.#options;
    return this.#exclusive(async () => {
      this.#assertThere();
      if (cgroup === null) {
        const why = `The machine of ${record.instanceId} has no cpu cgroup controller that the agent may write`;
        throw new KlusterError('cgroup_unavailable', why);
      }
      const found = cgroup.setLimit(record.instanceId, limit);
      const members = this.#run === null ? [] : processTree(this.#run.process.identity);
      joinAll(cgroup, record.instanceId, members);
      this.#record.cpuLimit = limit;
      this.#warnings.delete('cgroup');
      await this.#keeper.save();
      return found;
    });
  }

  /** Ends the process and removes everything the instance made. */
  async remove(): Promise<void> {
    this.#interruptStarting();
    await this.#exclusive(async () => {
      if (!this.#gone) await this.#takeAway();
    });
  }

  /** Stops supervising; the process lives on. */
  async release(): Promise<void> {
    this.#interruptStarting();
    await this.#operations;
    this.#gone = true;
    this.#restarts.cancel();
    this.#signs.leaveDisks();
    await this.#signs.endPulse();
    this.#run?.release();
    await this.#keeper.close();
  }

  async #takeAway(): Promise<void> {
    const { record, cgroup, logger } = this.#options;
    this.#record.phase = 'deleting';
    this.#record.desired = 'stopped';
    await this.#keeper.save();
    await this.#end('immediate');
    if (cgroup !== null) await whenNotBusy(() => cgroup.remove(record.instanceId));
    this.#signs.leaveDisks();
    const foreign = await removeDirectories(this.owned);
    if (foreign.length > 0)
      logger.warn({ instance: record.instanceId, foreign }, 'left what it did not make');
    this.#gone = true;
    await this.#keeper.delete();
  }

  /** Starts the process unless it runs, and waits until it serves. */
  async #launch(first: boolean, signal: AbortSignal): Promise<void> {
    this.#signs.watchDisks();
    if (this.#run === null) {
      applyCpuLimit(this.#options.cgroup, this.#record, this.#warnings);
      this.#record.engineVersion = this.#options.engine.version;
      this.#watch(await EngineRun.start(this.#runInput(), first));
    }
    await this.#run?.readyWithin(readyWaitMs, signal);
  }

  #watch(run: EngineRun): void {
    this.#run = run;
    this.#changed();
    void run.process.exited.then((exit) => {
      this.#ended(run, exit);
    });
    run.ready.then(
      () => {
        if (this.#run === run) this.#signs.beginPulse();
        this.#changed();
      },
      (error: unknown) => {
        this.#options.logger.warn(
          { instance: this.#record.instanceId, reason: errorText(error) },
          'not ready',
        );
      },
    );
  }

  #ended(run: EngineRun, exit: ProcessExit): void {
    if (this.#run !== run || this.#gone) return;
    this.#run = null;
    void this.#signs.endPulse();
    this.#record.lastExit = { at: exit.at.toISOString(), reason: exit.reason };
    const unexpected =
      this.#record.phase === 'created' && this.#record.desired === 'running' && !this.#stopping;
    if (unexpected) {
      const asked = exit.code !== null && exit.code === this.#options.engine.restartExitCode;
      this.#restarts.scheduleAfter(asked ? null : performance.now() - run.startedAt);
    }
    this.#changed();
    const { instanceId } = this.#record;
    this.#options.logger.info({ instance: instanceId, reason: exit.reason, unexpected }, 'process ended');
    this.#saveLater();
  }

  async #restartNow(cancelled: AbortSignal): Promise<void> {
    const { signal } = this.#starting;
    await this.#exclusive(async () => {
      if (cancelled.aborted || this.#gone || this.#run !== null) return;
      this.#restarts.begun();
      this.#record.restarts += 1;
      await this.#launch(false, signal);
      this.#saveLater();
    }).catch((error: unknown) => {
      const { instanceId } = this.#record;
      this.#options.logger.error({ instance: instanceId, reason: errorText(error) }, 'restart failed');
      const pending = this.#restarts.isPending || this.#run !== null || this.#gone || signal.aborted;
      if (!pending) this.#restarts.scheduleAfter(0);
      this.#changed();
    });
  }

  async #end(mode: StopRequest['mode']): Promise<void> {
    this.#restarts.cancel();
    const run = this.#run;
    if (run === null) {
      this.#changed();
      return;
    }
    this.#stopping = true;
    this.#changed();
    try {
      const exit = await run.end(mode, orderlyStopMs);
      this.#ended(run, exit);
    } finally {
      this.#stopping = false;
      this.#changed();
    }
  }

  #runInput() {
    const { engine, user, cgroup, record } = this.#options;
    const limited = this.#record.cpuLimit !== null && !this.#warnings.has('cgroup');
    return { name: record.instanceId, engine, user, cgroup: limited ? cgroup : null };
  }

  #assertThere(): void {
    if (this.#gone) {
      throw new KlusterError('instance_not_found', `Instance ${this.#record.instanceId} was removed`);
    }
  }

  #interruptStarting(): void {
    const { instanceId } = this.#record;
    this.#starting.abort(new KlusterError('agent_refused', `${instanceId} was stopped while it started`));
    this.#starting = new AbortController();
  }

  async #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#operations.then(async () => {
      this.#working = true;
      try {
        return await work();
      } finally {
        this.#working = false;
      }
    });
    this.#operations = turn.catch(() => undefined);
    return turn;
  }

  #saveLater(): void {
    this.#keeper.save().catch((error: unknown) => {
      this.#options.logger.error(
        { instance: this.#record.instanceId, reason: errorText(error) },
        'record not saved',
      );
    });
  }

  #changed(): void {
    if (!this.#gone) this.#options.changed(this.view());
  }
}
