import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Option, type Command } from 'commander';
import type Type from 'typebox';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { KlusterError, violationsError, type Violation } from '../core/errors/kluster-error.ts';
import { metadataKeyword } from '../core/parameters/fields.ts';
import { parseParameters } from '../core/parameters/parse.ts';

/** What the command line knows about a job type: the part that missions and immediate jobs share. */
export interface JobCommand {
  readonly jobType: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly paras: Type.TObject;
  readonly example: JsonObject;
}

/** `storage_iplists` → `storage-iplists`, `innodb_size_M` → `innodb-size-m`. */
export function flagName(parameter: string): string {
  return parameter.replaceAll('_', '-').toLowerCase();
}

function property(schema: object, key: string): unknown {
  return Object.entries(schema).find(([name]) => name === key)?.[1];
}

/** A secret would be seen in the list of processes and in the shell's history: its flag names a file. */
function isSecret(schema: object): boolean {
  const metadata = property(schema, metadataKeyword);
  return isJsonObject(metadata) && metadata['secret'] === true;
}

/** The placeholder that tells what a flag takes. */
function placeholder(schema: object): string {
  if (property(schema, 'enum') !== undefined) return '<word>';
  switch (property(schema, 'type')) {
    case 'integer':
    case 'number':
      return '<number>';
    case 'boolean':
      return '[on|off]';
    case 'array':
      return isObjectList(schema) ? '<json>' : '<list>';
    case 'object':
      return '<json>';
    default:
      return '<text>';
  }
}

function isObjectList(schema: object): boolean {
  const items = property(schema, 'items');
  return isJsonObject(items) && items['type'] === 'object';
}

function description(schema: object, required: boolean): string {
  const summary = property(schema, 'description');
  const notes = [
    ...(placeholder(schema) === '<list>' ? ['separated by commas'] : []),
    ...(isSecret(schema) ? ['the first line of a file, - for standard input'] : []),
    ...(required ? ['required'] : []),
  ];
  const base = typeof summary === 'string' ? summary : '';
  return notes.length === 0 ? base : `${base} (${notes.join('; ')})`;
}

/** Adds one flag per parameter of a job type. */
export function addJobFlags(command: Command, job: JobCommand): void {
  const required = new Set(job.paras.required);
  for (const [parameter, schema] of Object.entries(job.paras.properties)) {
    const flags = isSecret(schema)
      ? `--${flagName(parameter)}-file <file>`
      : `--${flagName(parameter)} ${placeholder(schema)}`;
    const option = new Option(flags, description(schema, required.has(parameter)));
    const words = property(schema, 'enum');
    // Only for completion and help: the parameter parser accepts any case and names every violation at once.
    if (Array.isArray(words)) option.argChoices = words.map(String);
    if (parsesJson(schema)) option.argParser((argument) => jsonArgument(parameter, argument));
    command.addOption(option);
  }
}

function parsesJson(schema: object): boolean {
  return placeholder(schema) === '<json>';
}

function jsonArgument(parameter: string, argument: string): unknown {
  try {
    return JSON.parse(argument);
  } catch (error) {
    throw new KlusterError('usage', `--${flagName(parameter)} is not JSON`, { cause: error });
  }
}

/**
 * `paras` from the flags that were given, checked by the same parser as the server's, so that a mistake is told
 * without asking a manager. Violations name the flags.
 */
export async function parasFromFlags(job: JobCommand, command: Command): Promise<JsonObject> {
  const given: Record<string, Json> = {};
  for (const [parameter, schema] of Object.entries(job.paras.properties)) {
    const long = `--${flagName(parameter)}${isSecret(schema) ? '-file' : ''}`;
    const option = command.options.find((candidate) => candidate.long === long);
    const value: unknown = option === undefined ? undefined : command.getOptionValue(option.attributeName());
    if (value === undefined) continue;
    given[parameter] =
      isSecret(schema) && typeof value === 'string' ? await firstLine(value) : (value as Json);
  }
  const result = parseParameters(job.paras, given);
  if (!result.ok) {
    const [first, ...rest] = result.violations;
    throw violationsError([asFlag(first), ...rest.map(asFlag)]);
  }
  return given;
}

async function firstLine(path: string): Promise<string> {
  const content = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  return content.split(/\r?\n/)[0] ?? '';
}

/** `paras.storage_iplists[1]` → `--storage-iplists[1]`. */
function asFlag(violation: Violation): Violation {
  const match = /^paras\.([^.[]+)(.*)$/.exec(violation.field);
  if (match === null) return violation;
  return { ...violation, field: `--${flagName(match[1] ?? '')}${match[2] ?? ''}` };
}
