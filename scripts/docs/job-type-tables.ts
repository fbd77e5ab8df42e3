import { documentedJobTypes } from '../../src/http/documented-job-types.ts';
import { immediateJobs, missions } from '../../src/manager/job-types.ts';

interface Documented {
  readonly jobType: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly paras: object;
}

/** What a parameter's schema tells, in the keywords that `src/core/parameters/fields.ts` writes. */
interface ParameterSchema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly 'x-kluster-pattern-rule'?: string;
  readonly 'x-kluster'?: { readonly codes: Readonly<Record<string, number>>; readonly secret: boolean };
}

interface ParasSchema {
  readonly properties?: Readonly<Record<string, ParameterSchema>>;
  readonly required?: readonly string[];
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function valueRule(schema: ParameterSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(', ');
  switch (schema.type) {
    case 'integer':
      return `${String(schema.minimum)} to ${String(schema.maximum)}`;
    case 'number':
      return `${String(schema.minimum)} to ${String(schema.maximum)}, decimals allowed`;
    case 'boolean':
      return '`0` or `1`';
    case 'array':
      return 'list of addresses';
    case 'string':
    case undefined:
      break;
    default:
      throw new TypeError(`no words for a parameter of type ${schema.type}`);
  }
  const rule = schema['x-kluster-pattern-rule']?.replace(/^must be /, '');
  return rule ?? `text, at most ${String(schema.maxLength)} characters`;
}

function codesOf(schema: ParameterSchema): string {
  const codes = Object.values(schema['x-kluster']?.codes ?? {});
  return [...new Set(codes)].toSorted((left, right) => left - right).join(', ');
}

function parameterRow(name: string, schema: ParameterSchema, required: boolean): string {
  const secret = schema['x-kluster']?.secret === true ? ' Never shown or stored in the clear.' : '';
  const columns = [
    `\`${name}\``,
    required ? 'yes' : '',
    valueRule(schema),
    `${schema.description ?? ''}${secret}`,
    codesOf(schema),
  ];
  return `| ${columns.map(cell).join(' | ')} |`;
}

function parameterTable(paras: ParasSchema): string {
  const parameters = Object.entries(paras.properties ?? {});
  if (parameters.length === 0) return 'No parameters.';
  return [
    '| parameter | required | value | meaning | codes |',
    '| --- | --- | --- | --- | --- |',
    ...parameters.map(([name, schema]) =>
      parameterRow(name, schema, paras.required?.includes(name) ?? false),
    ),
  ].join('\n');
}

function section(job: Documented, mode: string): string {
  const aliases = job.aliases.length === 0 ? '' : ` Also known as ${job.aliases.join(', ')}.`;
  return `### ${job.jobType}\n\n${job.summary}. ${mode}${aliases}\n\n${parameterTable(job.paras)}`;
}

/** Every job type of this version with its parameters, then those that answer that they are not built. */
export function jobTypeTables(): string {
  const built = new Set(
    [...missions, ...immediateJobs].flatMap(({ jobType, aliases }) => [jobType, ...aliases]),
  );
  const missing = [...documentedJobTypes].filter(([jobType]) => !built.has(jobType));
  return [
    ...missions.map((job) => section(job, 'A job: follow it with `get_status`.')),
    ...immediateJobs.map((job) => section(job, 'Answers at once.')),
    '### Not built yet',
    'Known from the API document or from its clients, and answered with `not_built`:',
    [
      '| job type | would |',
      '| --- | --- |',
      ...missing.map(([jobType, words]) => `| \`${jobType}\` | ${cell(words)} |`),
    ].join('\n'),
  ].join('\n\n');
}
