import { linkedSignal, withDeadline } from '../core/abort.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { KlusterError, errorText } from '../core/errors/kluster-error.ts';
import type { EngineInstance } from '../engines/engine.ts';
import type { EngineUser } from '../engines/installation.ts';
import { findByArgument, type ProcessIdentity } from '../engines/process-identity.ts';
import type { CgroupDriver } from './cgroup/driver.ts';
import { EngineProcess, type ProcessExit } from './engine-process.ts';
import { endsInOrder } from './in-order.ts';
import { fileSize, logSince, tellingLines } from './log-tail.ts';
import { assertPortsFree } from './ports.ts';

/** Binding it finds out whether a port is free on all addresses. */
const everyAddress = '0.0.0.0';

export interface RunInput {
  readonly name: string;
  readonly engine: EngineInstance;
  readonly user: EngineUser;
  /** Null when the instance has no limit: then its processes stay where they are. */
  readonly cgroup: CgroupDriver | null;
}

const probeIntervalMs = 20;
const probeMs = 3_000;
const bootstrapMs = 30_000;
/** How long ending with SIGKILL may take; longer only when the kernel waits for a disk. */
const killMs = 15_000;

/** One process of an instance from its start, or adoption, to its end. */
export class EngineRun {
  readonly process: EngineProcess;
  /** On the monotonic clock. */
  readonly startedAt = performance.now();
  /** Resolves when the engine serves; rejects when the process ends before that. */
  readonly ready: Promise<void>;
  readonly #input: RunInput;
  readonly #logStart: number;
  readonly #watching = new AbortController();
  #isReady = false;
  #exit: ProcessExit | null = null;

  private constructor(input: RunInput, process: EngineProcess, start: { logStart: number; first: boolean }) {
    this.#input = input;
    this.process = process;
    this.#logStart = start.logStart;
    void process.exited.then((exit) => {
      this.#exit = exit;
      this.#watching.abort();
    });
    this.ready = this.#untilReady(start.first);
    // Nobody may be waiting for it; whoever does gets the same error.
    this.ready.catch(() => undefined);
  }

  /**
   * Starts the process, unless it turns out to run: there are never two. `first`: makes the accounts before the instance counts as ready.
   * @throws KlusterError port_busy, engine_missing, instance_start_failed
   */
  static async start(input: RunInput, first: boolean): Promise<EngineRun> {
    const { engine, user, cgroup, name } = input;
    const [running] = findByArgument(engine.mark, user.uid);
    if (running !== undefined) return EngineRun.adopt(input, running);
    await assertPortsFree(engine.hostaddr, engine.ports);
    await assertPortsFree(everyAddress, engine.wildcardPorts);
    await engine.configure();
    const command = await engine.command();
    const logStart = await fileSize(engine.logFile);
    const { logFile, datadir } = engine;
    const process = await EngineProcess.launch({ command, user, cwd: datadir, logFile });
    cgroup?.join(name, process.pid);
    return new EngineRun(input, process, { logStart, first });
  }

  /** Takes over a process that an earlier agent started. */
  static async adopt(input: RunInput, identity: ProcessIdentity): Promise<EngineRun> {
    input.cgroup?.join(input.name, identity.pid);
    const logStart = await fileSize(input.engine.logFile);
    return new EngineRun(input, EngineProcess.adopt(identity), { logStart, first: false });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** @throws KlusterError instance_start_failed, or the reason of the signal */
  async readyWithin(ms: number, signal: AbortSignal): Promise<void> {
    const { name, engine } = this.#input;
    const enough = linkedSignal(signal);
    const late = sleep(ms, undefined, { signal: enough.signal }).then(
      () => {
        throw new KlusterError(
          'instance_start_failed',
          `${name} is still starting after ${String(ms)} ms; see ${engine.logFile}`,
        );
      },
      () => {
        signal.throwIfAborted();
      },
    );
    try {
      await Promise.race([this.ready, late]);
    } finally {
      enough.release();
      enough.abort(new Error('no longer wanted'));
      await late.catch(() => undefined);
    }
  }

  async #untilReady(first: boolean): Promise<void> {
    const { signal } = this.#watching;
    const { engine } = this.#input;
    let refusal = await this.#probe();
    while (refusal !== null) {
      if (signal.aborted) throw await this.#failure(refusal);
      await sleep(probeIntervalMs, undefined, { signal }).catch(() => undefined);
      refusal = await this.#probe();
    }
    if (first) await withDeadline(bootstrapMs, signal, (bounded) => engine.bootstrap(bounded));
    this.#isReady = true;
  }

  /** Null when the engine serves; otherwise what it said. */
  async #probe(): Promise<string | null> {
    return withDeadline(probeMs, this.#watching.signal, (signal) => this.#input.engine.probe(signal)).then(
      () => null,
      errorText,
    );
  }

  async #failure(said: string): Promise<KlusterError> {
    const { engine, name } = this.#input;
    if (this.#exit === null)
      return new KlusterError('instance_start_failed', `${name} is not watched any more`);
    const log = await logSince(engine.logFile, this.#logStart);
    const kind = engine.diagnose(log) ?? 'instance_start_failed';
    const why = tellingLines(log) || said;
    return new KlusterError(
      kind,
      `${engine.engine} ${name} on ${engine.hostaddr}:${engine.ports.join(',')} ended before it was ready ` +
        `(${this.#exit.reason}); log ${engine.logFile}: ${why}`,
    );
  }

  /**
   * Ends the process in order; when that is not safe, or it has not ended after `patienceMs`, without order.
   * @throws KlusterError agent_refused when even SIGKILL does not end it.
   */
  async end(mode: 'fast' | 'immediate', patienceMs: number): Promise<ProcessExit> {
    if (mode === 'fast' && (await endsInOrder(this.#input.engine))) {
      this.process.signal(this.#input.engine.stopSignal);
      const exit = await this.#exitWithin(patienceMs);
      if (exit !== null) return exit;
    }
    this.process.kill();
    const exit = await this.#exitWithin(killMs);
    if (exit !== null) return exit;
    const pid = String(this.process.pid);
    throw new KlusterError('agent_refused', `Process ${pid} of ${this.#input.name} does not end on SIGKILL`);
  }

  async #exitWithin(ms: number): Promise<ProcessExit | null> {
    const giveUp = new AbortController();
    const late = sleep(ms, null, { signal: giveUp.signal }).catch(() => null);
    const exit = await Promise.race([this.process.exited, late]);
    giveUp.abort();
    return exit;
  }

  /** Stops watching; the process lives on. */
  release(): void {
    this.process.release();
    this.#watching.abort();
  }
}
