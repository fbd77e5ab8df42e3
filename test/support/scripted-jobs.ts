import { pino } from 'pino';
import Type from 'typebox';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { MetadataDatabase } from '../../src/catalog/database.ts';
import { firstRow, textOf, textOrNull } from '../../src/catalog/sql.ts';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import type { JobId } from '../../src/core/ids.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { addressList, text } from '../../src/core/parameters/fields.ts';
import { JobEngine, type JobEngineOptions } from '../../src/jobs/engine.ts';
import type { JobEvent } from '../../src/jobs/job-event.ts';
import { defineMission, type JobView } from '../../src/jobs/mission.ts';
import type { PlanNode, Step, StepContext } from '../../src/jobs/plan.ts';
import { startMetadataServer, type MetadataServer } from './metadata-server.ts';

/** What the steps of test jobs did, in order. */
export interface ScriptServices {
  readonly log: string[];
}

export type ScriptContext = StepContext<ScriptServices>;
export type ScriptNode = PlanNode<ScriptServices>;

/** One script: the plan of a job, and what it says of itself. */
export interface Script {
  plan(prepared: Json): ScriptNode;
  prepare?(context: ScriptContext): Promise<Json>;
  attachment?(view: JobView): JsonObject | null;
}

const codes = { invalid: 70_005 };

const paras = Type.Object({
  script: text({ description: 'name of the script', codes, maxLength: 64 }),
  locks: Type.Optional(addressList({ description: 'lock names', codes })),
  passwd: Type.Optional(text({ description: 'a secret', codes, maxLength: 64, secret: true })),
});

/** A mission that does what the named script says. */
function scriptedMission(scripts: Readonly<Record<string, Script>>) {
  const scriptOf = (name: string): Script => {
    const script = scripts[name];
    if (script === undefined) throw new Error(`the test has no script ${name}`);
    return script;
  };
  return defineMission<ScriptServices>()({
    jobType: 'scripted',
    aliases: ['scripted_alias'],
    summary: 'does what a test says',
    paras,
    prepared: Type.Object({ script: Type.String(), more: Type.Optional(Type.Unknown()) }),
    example: { script: 'x' },
    doneText: 'OK',
    admit: (_services, { script, locks = [] }) =>
      Promise.resolve(
        script === 'refused'
          ? {
              admitted: false,
              violations: [
                { field: 'paras.script', value: '"refused"', rule: 'must not be refused', code: 70_123 },
              ],
            }
          : { admitted: true, locks },
      ),
    prepare: async (context, { script }) => {
      const more = await scriptOf(script).prepare?.(context);
      return more === undefined ? { script } : { script, more };
    },
    plan: ({ script }, { more }) => scriptOf(script).plan((more ?? null) as Json),
    attachment: (view) => {
      const { script } = view.paras;
      return typeof script === 'string' ? (scriptOf(script).attachment?.(view) ?? null) : null;
    },
  });
}

/** A step that logs its run and its undo; `run` may do more, or fail. */
export function step(
  key: string,
  settings: Partial<Step<ScriptServices>> & { readonly noUndo?: boolean } = {},
): Step<ScriptServices> {
  const { noUndo = false, ...rest } = settings;
  const undo = async ({ services }: ScriptContext) => {
    services.log.push(`undo ${key}`);
    return Promise.resolve();
  };
  return {
    kind: 'step',
    key,
    title: `step ${key}`,
    deadlineMs: 5000,
    ...(noUndo ? {} : { undo }),
    ...rest,
    run: async (context) => {
      context.services.log.push(`run ${key}`);
      return (await settings.run?.(context)) ?? `output of ${key}`;
    },
  };
}

/** Something that a step waits for and a test decides. */
export class Gate {
  readonly reached: Promise<void>;
  #arrive: () => void = () => undefined;
  #open: () => void = () => undefined;
  readonly #opened: Promise<void>;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#arrive = resolve;
    });
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
  }

  /** As a well-behaved step waits: until the gate opens or its signal aborts. */
  async pass(signal: AbortSignal): Promise<void> {
    this.#arrive();
    const aborted = new Promise<never>((_resolve, reject) => {
      const stop = () => reject(new Error('the gate was left'));
      signal.addEventListener('abort', stop, { once: true });
    });
    await Promise.race([this.#opened, aborted]);
  }
}

const testSecret = 'secret of the test installation';

export interface ScriptedEngine {
  readonly engine: JobEngine<ScriptServices>;
  readonly log: string[];
  submit(script: string, more?: JsonObject, settings?: { readonly idempotencyKey?: string }): Promise<JobId>;
  /** Submits and waits for the end. */
  run(script: string, more?: JsonObject): Promise<JobView>;
  ended(job: JobId): Promise<JobView>;
}

/** An engine for scripts, started; whoever starts it stops it. */
async function startScriptedEngine(
  database: MetadataDatabase,
  scripts: Readonly<Record<string, Script>>,
  options: Partial<JobEngineOptions<ScriptServices>> = {},
): Promise<ScriptedEngine> {
  const log: string[] = [];
  const engine = new JobEngine<ScriptServices>({
    database,
    services: { log },
    missions: [scriptedMission(scripts)],
    secret: testSecret,
    logger: pino({ level: 'silent' }),
    ...options,
  });
  await engine.start();
  const submit: ScriptedEngine['submit'] = (script, more = {}, settings = {}) => {
    const given = { script, ...more };
    return engine.submit({
      jobType: 'scripted',
      paras: given,
      request: { job_type: 'scripted', paras: given },
      userName: 'tester',
      ...settings,
    });
  };
  const ended = (job: JobId) => engine.waitFor(job, AbortSignal.timeout(20_000));
  return { engine, log, submit, ended, run: async (script, more) => ended(await submit(script, more)) };
}

/** A metadata server for the tests of one file, and engines on it that are stopped after each test. */
export interface ScriptedSuite {
  readonly server: MetadataServer;
  readonly database: MetadataDatabase;
  /** From now on engines work through these connections. */
  use(database: MetadataDatabase): void;
  start(
    scripts: Readonly<Record<string, Script>>,
    options?: Partial<JobEngineOptions<ScriptServices>>,
  ): Promise<ScriptedEngine>;
}

class Suite implements ScriptedSuite {
  #server: MetadataServer | undefined;
  #database: MetadataDatabase | undefined;
  #engines: ScriptedEngine[] = [];

  get server(): MetadataServer {
    if (this.#server === undefined) throw new Error('the metadata server has not been started');
    return this.#server;
  }

  get database(): MetadataDatabase {
    if (this.#database === undefined) throw new Error('the metadata database has not been made');
    return this.#database;
  }

  use(database: MetadataDatabase): void {
    this.#database = database;
  }

  async start(
    scripts: Readonly<Record<string, Script>>,
    options: Partial<JobEngineOptions<ScriptServices>> = {},
  ): Promise<ScriptedEngine> {
    const scripted = await startScriptedEngine(this.database, scripts, options);
    this.#engines.push(scripted);
    return scripted;
  }

  async open(): Promise<void> {
    this.#server = await startMetadataServer();
  }

  async stopEngines(): Promise<void> {
    await Promise.all(this.#engines.splice(0).map(({ engine }) => engine.stop()));
  }

  async close(): Promise<void> {
    await this.#server?.stop();
  }
}

/** Call it at the top of a test file: it registers the hooks. `officeFor: 'test'`: a new term before every test. */
export function scriptedSuite(options: { readonly officeFor: 'file' | 'test' }): ScriptedSuite {
  const suite = new Suite();
  beforeAll(async () => {
    await suite.open();
    suite.use(await suite.server.database());
  });
  if (options.officeFor === 'test') {
    beforeEach(async () => {
      const database = suite.server.another();
      await database.takeOffice('test');
      suite.use(database);
    });
  }
  afterEach(() => suite.stopEngines());
  afterAll(() => suite.close());
  return suite;
}

/** State of each step by its path below the root. */
export const statesOf = (view: JobView) =>
  Object.fromEntries(view.steps.map(({ path, state }) => [path.slice(path.indexOf('/') + 1), state]));

/** Every event of a job until it has ended. */
export async function eventsOf({ engine }: ScriptedEngine, job: JobId, after = 0): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const event of engine.events(job, { after, signal: AbortSignal.timeout(10_000) }))
    events.push(event);
  return events;
}

/** The row that existing clients read. */
export const publicRow = (database: MetadataDatabase, job: JobId) =>
  database.read((sql) =>
    firstRow(sql, 'SELECT * FROM cluster_general_job_log WHERE id = ?', [job], (row) => ({
      jobType: textOf(row, 'job_type'),
      status: textOf(row, 'status'),
      userName: textOf(row, 'user_name'),
      memo: JSON.parse(textOrNull(row, 'memo') ?? 'null') as unknown,
      request: JSON.parse(textOf(row, 'job_info')) as unknown,
      started: textOrNull(row, 'when_started'),
      ended: textOrNull(row, 'when_ended'),
    })),
  );

/** A step that fails for good. */
export const failing = (message = 'no room') =>
  step('bad', { run: () => Promise.reject(new KlusterError('storage_install_failed', message)) });
