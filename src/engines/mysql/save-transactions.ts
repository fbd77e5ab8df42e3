import { createReadStream } from 'node:fs';
import { appendFile, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { SavedTransactions, SaveTransactionsRequest } from '../../core/agent-protocol.ts';
import { errorText } from '../../core/errors/kluster-error.ts';
import { GtidSet } from '../../core/gtid-set.ts';
import type { InstanceId } from '../../core/ids.ts';
import { makeOwnDirectory, syncDirectory } from '../file-tree.ts';
import type { EngineUser, MysqlInstallation } from '../installation.ts';
import { runProgram } from '../run-program.ts';

interface LogPlace {
  readonly id: InstanceId;
  /** The machine's directory for logs, which outlives the instance. */
  readonly logdir: string;
  /** The instance's directory of binary and relay logs. */
  readonly binlog: string;
  readonly installation: MysqlInstallation;
  readonly user: EngineUser;
}

/** Below the machine's log directory. Nothing ever removes what lies there but people. */
const savedDirectory = 'saved-transactions';
const deadlineMs = 3_000_000;

const kinds = [
  { suffix: '', pattern: /^binlog\.\d+$/ },
  // What a replica has received and, maybe, not applied.
  { suffix: '-relay', pattern: /^relay.*\.\d+$/ },
] as const;

/**
 * Writes every transaction of the node's binary and relay logs that is not in `known` to files that `mysql` can
 * execute. The logs are read from the disk, so it does not matter whether the server runs or can run. A file is under
 * its name only when it is complete.
 * @throws KlusterError instance_start_failed when a log other than the last one cannot be read
 */
export async function saveTransactions(
  place: LogPlace,
  { operationKey, known }: SaveTransactionsRequest,
): Promise<SavedTransactions> {
  let lacking = GtidSet.parse(known);
  let saved = GtidSet.empty;
  const files: string[] = [];
  const torn: string[] = [];
  for (const { suffix, pattern } of kinds) {
    const file = join(place.logdir, savedDirectory, `${place.id}.${operationKey}${suffix}.sql`);
    if (!(await exists(file))) {
      const logs = await logsOf(place.binlog, pattern);
      const reason = await decode(place, { logs, known: lacking, file });
      if (reason !== null) torn.push(reason);
    }
    const found = await gtidsIn(file);
    if (!found.isEmpty) files.push(file);
    saved = saved.union(found);
    lacking = lacking.union(found);
  }
  return { files, gtids: saved.toString(), torn: torn.length === 0 ? null : torn.join('; ') };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false;
      throw error;
    },
  );
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Oldest first: the numbers have leading zeros. */
async function logsOf(directory: string, pattern: RegExp): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const logs = names.filter((name) => pattern.test(name)).toSorted();
  return logs.map((name) => join(directory, name));
}

interface Decoding {
  readonly logs: readonly string[];
  readonly known: GtidSet;
  readonly file: string;
}

/** Makes the file if there is anything to put into it; gives the reason when the end of the last log is torn. */
async function decode(place: LogPlace, { logs, known, file }: Decoding): Promise<string | null> {
  const last = logs.at(-1);
  if (last === undefined) return null;
  const directory = join(place.logdir, savedDirectory);
  if (!(await exists(directory))) await makeOwnDirectory(directory, place.user);
  const partial = `${file}.partial`;
  let torn: string | null = null;
  try {
    await readLogs(place, { logs, known, file: partial });
  } catch {
    // Once more, so that only the end of the last one may be missing.
    const earlier = logs.slice(0, -1);
    if (earlier.length > 0) await readLogs(place, { logs: earlier, known, file: partial });
    torn = await readTorn(place, { logs: [last], known, file: partial }, earlier.length > 0);
  }
  if ((await gtidsIn(partial)).isEmpty) {
    await rm(partial, { force: true });
  } else {
    await rename(partial, file);
    await syncDirectory(directory);
  }
  return torn;
}

async function readTorn(place: LogPlace, decoding: Decoding, append: boolean): Promise<string | null> {
  const end = `${decoding.file}.end`;
  let torn: string | null = null;
  try {
    await readLogs(place, { ...decoding, file: end });
  } catch (error) {
    torn = errorText(error);
  }
  if (!(await exists(end))) return torn;
  if (!append) await rename(end, decoding.file);
  else {
    await appendFile(decoding.file, await readFile(end));
    await rm(end);
  }
  return torn;
}

async function readLogs(place: LogPlace, { logs, known, file }: Decoding): Promise<void> {
  await rm(file, { force: true });
  const exclude = known.isEmpty ? [] : [`--exclude-gtids=${known.toString()}`];
  const { file: program, args } = place.installation.command('mysqlbinlog', [
    '--no-defaults',
    '--verbose',
    ...exclude,
    `--result-file=${file}`,
    ...logs,
  ]);
  await runProgram('mysqlbinlog', {
    file: program,
    args,
    user: place.user,
    cwd: place.binlog,
    signal: new AbortController().signal,
    deadlineMs,
  });
}

const gtidLine = /^SET @@SESSION\.GTID_NEXT= '([0-9a-f-]{36}:[^']+)'/;
const manyGtids = 10_000;

/** The transactions in a decoded file; none when there is no file. */
async function gtidsIn(file: string): Promise<GtidSet> {
  if (!(await exists(file))) return GtidSet.empty;
  let found = GtidSet.empty;
  let batch: string[] = [];
  const take = (): void => {
    found = found.union(GtidSet.parse(batch.join(',')));
    batch = [];
  };
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const gtid = gtidLine.exec(line)?.[1];
    if (gtid !== undefined) batch.push(gtid);
    if (batch.length === manyGtids) take();
  }
  take();
  return found;
}
