import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import Type from 'typebox';
import { MetadataDatabase, type MetadataOptions } from '../../src/catalog/database.ts';
import { KlusterError } from '../../src/core/errors/kluster-error.ts';
import { choice } from '../../src/core/parameters/fields.ts';
import { JobEngine } from '../../src/jobs/engine.ts';
import { defineMission } from '../../src/jobs/mission.ts';
import { parallel, pointOfNoReturn, serial, type Step } from '../../src/jobs/plan.ts';

/**
 * A manager for one job, in a process of its own, so that it can be killed: takes office, submits the job (the same
 * one each time it is started), waits for its end, prints its id, and exits with 0.
 */
export interface JobChildOptions {
  readonly metadata: MetadataOptions;
  /** Where the steps leave their effects: a file for each. */
  readonly directory: string;
  readonly ending: JobChildEnding;
  readonly key: string;
}

/** How the last step ends. `fails`: for good. `forward`: at the third attempt, past the point of no return. */
export type JobChildEnding = 'fails' | 'forward';

export const optionsVariable = 'KLUSTER_JOB_CHILD';

interface Effects {
  readonly directory: string;
}

const fileOf = ({ directory }: Effects, path: string) => join(directory, path.replaceAll('/', '~'));

function effectStep(key: string): Step<Effects> {
  return {
    kind: 'step',
    key,
    title: `make ${key}`,
    deadlineMs: 10_000,
    run: async (context) => {
      const { services, path } = context;
      const before =
        key === 'last' ? context.outputOf('job/first', Type.Object({ made: Type.String() })).made : '';
      await writeFile(fileOf(services, path), `effect of ${key} ${before}`);
      return { made: key };
    },
    undo: async ({ services, path }) => {
      await rm(fileOf(services, path), { force: true });
      await appendFile(join(services.directory, 'undone'), `${path}\n`);
    },
  };
}

function failingStep(): Step<Effects> {
  const effect = effectStep('last');
  return {
    ...effect,
    run: async (context) => {
      await effect.run(context);
      throw new KlusterError('storage_install_failed', 'there is no room');
    },
  };
}

/** Counts its runs in a file, because the process that counts may not live to see the next one. */
function stubbornStep(): Step<Effects> {
  const effect = effectStep('last');
  return {
    ...effect,
    run: async (context) => {
      const counter = join(context.services.directory, 'attempts');
      await appendFile(counter, 'x');
      if ((await readFile(counter, 'utf8')).length < 3) throw new Error('not yet');
      return await effect.run(context);
    },
  };
}

const sample = defineMission<Effects>()({
  jobType: 'sample',
  aliases: [],
  summary: 'makes files',
  paras: Type.Object({
    ending: choice(['fails', 'forward'], { description: 'how it ends', codes: { invalid: 70_005 } }),
  }),
  prepared: Type.Object({ groups: Type.Array(Type.String()) }),
  example: { ending: 'forward' },
  doneText: 'OK',
  admit: () => Promise.resolve({ admitted: true, locks: ['sample'] }),
  prepare: () => Promise.resolve({ groups: ['left', 'right'] }),
  plan: ({ ending }, { groups }) =>
    serial('job', 'the whole job', [
      effectStep('first'),
      parallel('middle', 'side by side', groups.map(effectStep)),
      ...(ending === 'forward' ? [pointOfNoReturn, stubbornStep()] : [failingStep()]),
    ]),
  attachment: ({ steps }) => ({ made: steps.filter(({ state }) => state === 'done').length }),
});

async function main(options: JobChildOptions): Promise<void> {
  const database = MetadataDatabase.open({ ...options.metadata, connectionLimit: 3 });
  await database.takeOffice('child');
  const engine = new JobEngine<Effects>({
    database,
    services: { directory: options.directory },
    missions: [sample],
    secret: 'secret of the child',
    logger: pino({ level: 'silent' }),
    forwardOnlyRetry: { attempts: 5, firstDelayMs: 1, maximumDelayMs: 2, isPassing: () => true },
  });
  await engine.start();
  const paras = { ending: options.ending };
  const job = await engine.submit({
    jobType: 'sample',
    paras,
    request: { job_type: 'sample', paras },
    userName: 'child',
    idempotencyKey: options.key,
  });
  await engine.waitFor(job, AbortSignal.timeout(20_000));
  await engine.stop();
  await database.close();
  process.stdout.write(`${String(job)}\n`);
}

const given = process.env[optionsVariable];
if (given !== undefined) await main(JSON.parse(given) as JobChildOptions);
