import { isIP } from 'node:net';
import { isAbsolute, normalize } from 'node:path';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import type { InstanceSpec } from '../core/agent-protocol.ts';
import { violationsError, type Violation } from '../core/errors/kluster-error.ts';
import { isJsonObject } from '../core/json.ts';
import type { HostPort } from '../core/model.ts';
import { shownValue } from '../core/parameters/parse.ts';

/** The bodies of requests. Rules that JSON Schema cannot say are `ruleBreaks` below. */
const Port = Type.Integer({ minimum: 1, maximum: 65_535 });
const Path = Type.String({ minLength: 2, maxLength: 1_000 });
const Labels = Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }), {
  maxProperties: 32,
});
const Profile = Type.Union([Type.Literal('normal'), Type.Literal('small')]);
const HostAddress = Type.String({ minLength: 2, maxLength: 45 });

export const CpuLimitBody = Type.Object({
  cores: Type.Number({ minimum: 0.01, maximum: 10_000 }),
  mode: Type.Union([Type.Literal('quota'), Type.Literal('share')]),
});

const common = {
  hostaddr: HostAddress,
  port: Port,
  datadir: Path,
  profile: Profile,
  maxConnections: Type.Optional(Type.Integer({ minimum: 10, maximum: 100_000 })),
  labels: Labels,
  cpuLimit: Type.Optional(CpuLimitBody),
  sealedAccounts: Type.String({ minLength: 1, maxLength: 20_000, pattern: '^[\\w-]+$' }),
};

const MysqlSpec = Type.Object({
  engine: Type.Literal('mysql'),
  ...common,
  groupReplicationPort: Port,
  logdir: Path,
  walLogDir: Path,
  serverId: Type.Integer({ minimum: 1, maximum: 4_294_967_295 }),
  bufferPoolMb: Type.Optional(Type.Integer({ minimum: 5, maximum: 16_777_216 })),
  groupName: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' })),
});

const PostgresSpec = Type.Object({ engine: Type.Literal('postgres'), ...common });

const EndMode = Type.Union([Type.Literal('fast'), Type.Literal('immediate')]);
export const StopBody = Type.Object({ mode: EndMode });
export const RestartBody = Type.Object({
  operationKey: Type.String({ minLength: 1, maxLength: 200 }),
  mode: Type.Optional(EndMode),
});
const gtidSet = Type.String({ maxLength: 100_000, pattern: String.raw`^[0-9a-zA-Z_:,\s-]*$` });
export const SaveTransactionsBody = Type.Object({
  operationKey: Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9-]+$' }),
  known: gtidSet,
});
export const FormerSettingBody = Type.Object({
  name: Type.String({ maxLength: 128, pattern: '^[A-Za-z_][A-Za-z0-9_.$]*$' }),
  value: Type.Union([Type.String({ maxLength: 65_535 }), Type.Null()]),
});
export const CpuLimitRequest = Type.Object({ limit: Type.Union([CpuLimitBody, Type.Null()]) });
const PortsBody = Type.Object({
  hostaddr: HostAddress,
  ports: Type.Array(Port, { maxItems: 1_000 }),
});
const ReachBody = Type.Object({
  targets: Type.Array(Type.Object({ hostaddr: HostAddress, port: Port }), { maxItems: 100 }),
});
const PathsBody = Type.Object({ paths: Type.Array(Path, { maxItems: 100 }) });

export const AccountsText = Type.Array(
  Type.Object({
    purpose: Type.Union([
      Type.Literal('management'),
      Type.Literal('replication'),
      Type.Literal('compute'),
      Type.Literal('monitor'),
    ]),
    user: Type.String({ minLength: 1, maxLength: 32 }),
    password: Type.String({ minLength: 8, maxLength: 128 }),
  }),
  { minItems: 1, maxItems: 32 },
);

const invalid = 70_005;
const secretFields = new Set(['sealedAccounts']);

/** `/labels/role` → `labels.role` */
const fieldName = (pointer: string): string => pointer.split('/').slice(1).join('.') || 'body';

function valueAt(value: unknown, pointer: string): unknown {
  let found = value;
  for (const key of pointer.split('/').slice(1)) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  }
  return found;
}

function schemaBreaks(schema: TSchema, body: unknown): readonly Violation[] {
  return Value.Errors(schema, body).map(({ instancePath, message }) => {
    const field = fieldName(instancePath);
    const value = valueAt(body, instancePath);
    const shown = secretFields.has(field) ? '(sealed)' : shownValue(value);
    return { field, value: value === undefined ? undefined : shown, rule: message, code: invalid };
  });
}

function throwIfAny([first, ...others]: readonly Violation[]): void {
  if (first !== undefined) throw violationsError([first, ...others]);
}

/** @throws KlusterError invalid_parameters naming field, value and rule */
export function parseBody<Schema extends TSchema>(schema: Schema, body: unknown): Static<Schema> {
  throwIfAny(schemaBreaks(schema, body));
  return Value.Parse(schema, body);
}

/** A path below which an instance may live: absolute, in its simplest form, not the root. */
function pathBreaks(field: string, path: string): readonly Violation[] {
  const simple = normalize(path).replace(/\/$/, '');
  if (isAbsolute(path) && !path.includes('\0') && simple === path.replace(/\/$/, '') && simple !== '')
    return [];
  const rule = 'must be an absolute path without "." or ".." parts, and not the root directory';
  return [{ field, value: shownValue(path), rule, code: invalid }];
}

function addressBreaks(field: string, hostaddr: string): readonly Violation[] {
  if (isIP(hostaddr) !== 0) return [];
  return [{ field, value: shownValue(hostaddr), rule: 'must be an IP address', code: invalid }];
}

function specBreaks(spec: InstanceSpec): readonly Violation[] {
  const paths =
    spec.engine === 'mysql'
      ? { datadir: spec.datadir, logdir: spec.logdir, walLogDir: spec.walLogDir }
      : { datadir: spec.datadir };
  return [
    ...addressBreaks('hostaddr', spec.hostaddr),
    ...Object.entries(paths).flatMap(([field, path]) => pathBreaks(field, path)),
  ];
}

/** @throws KlusterError invalid_parameters */
export function parseTargets(body: unknown): readonly HostPort[] {
  const { targets } = parseBody(ReachBody, body);
  throwIfAny(targets.flatMap(({ hostaddr }) => addressBreaks('targets', hostaddr)));
  return targets;
}

/** @throws KlusterError invalid_parameters */
export function parseSpec(body: unknown): InstanceSpec {
  const engine = isJsonObject(body) ? body['engine'] : undefined;
  if (engine !== 'mysql' && engine !== 'postgres') {
    const value = engine === undefined ? undefined : shownValue(engine);
    throw violationsError([{ field: 'engine', value, rule: 'must be mysql or postgres', code: invalid }]);
  }
  const spec: InstanceSpec = engine === 'mysql' ? parseBody(MysqlSpec, body) : parseBody(PostgresSpec, body);
  throwIfAny(specBreaks(spec));
  return spec;
}

export function parsePortCheck(body: unknown): Static<typeof PortsBody> {
  const check = parseBody(PortsBody, body);
  throwIfAny(addressBreaks('hostaddr', check.hostaddr));
  return check;
}

export function parsePaths(body: unknown): readonly string[] {
  const { paths } = parseBody(PathsBody, body);
  throwIfAny(paths.flatMap((path, index) => pathBreaks(`paths[${String(index)}]`, path)));
  return paths;
}
