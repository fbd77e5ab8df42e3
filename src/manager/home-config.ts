import Type from 'typebox';
import { urlHost } from '../core/url-host.ts';
import type { Home } from './home.ts';
import { readJsonFile, writeJsonFile } from './json-file.ts';

const portNumber = Type.Integer({ minimum: 1, maximum: 65_535 });

/** A bearer token of the API: in the clear (the command line uses the first such one), or only its SHA-256. */
const accessToken = Type.Union([
  Type.Object(
    { name: Type.String({ minLength: 1 }), token: Type.String({ minLength: 16 }) },
    { additionalProperties: false },
  ),
  Type.Object(
    { name: Type.String({ minLength: 1 }), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) },
    { additionalProperties: false },
  ),
]);

/** `config.json`. */
export const homeConfigSchema = Type.Object(
  {
    /** Address the API listens at. */
    bind: Type.String({ minLength: 1 }),
    /** Port of the API. */
    port: portNumber,
    /** Port of the agent of this machine. */
    agentPort: portNumber,
    /** Address of this machine, as other machines reach it and as it is registered. */
    hostaddr: Type.String({ minLength: 1 }),
    /** Port of the metadata server of a standalone installation; chosen at its first start. */
    metadataPort: Type.Optional(portNumber),
    /** Port ranges of the machine that `kluster up` registers. */
    storagePorts: Type.Optional(Type.String({ pattern: '^\\d+-\\d+$' })),
    computerPorts: Type.Optional(Type.String({ pattern: '^\\d+-\\d+$' })),
    /** `none`, written explicitly, permits an API without tokens on a reachable address. */
    auth: Type.Optional(Type.Literal('none')),
    tokens: Type.Array(accessToken),
    /** How ready the manager is to give a shard another primary. */
    failover: Type.Optional(
      Type.Object(
        {
          /** So many automatic failovers of a shard within an hour are as fast as the evidence allows; default 3. */
          fastPerHour: Type.Optional(Type.Integer({ minimum: 0 })),
          /** For further ones the primary must have been silent for so many seconds; default 15. */
          cautiousSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 3600 })),
        },
        { additionalProperties: false },
      ),
    ),
    /** For how long the catalog keeps what only tells of the past; 0: for ever. */
    retention: Type.Optional(
      Type.Object(
        {
          /** Jobs that have ended, with their steps, events and idempotency keys; default 90. */
          jobDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 36_500 })),
          /** Decisions to commit transactions over several shards, of which no branch is left prepared; default 7. */
          decisionDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 36_500 })),
        },
        { additionalProperties: false },
      ),
    ),
    /** Installations of the engines, where they are not in the usual places. */
    mysqlDirectory: Type.Optional(Type.String({ minLength: 1 })),
    postgresDirectory: Type.Optional(Type.String({ minLength: 1 })),
  },
  { additionalProperties: false },
);

export type HomeConfig = Type.Static<typeof homeConfigSchema>;

export const defaultPorts = { manager: 35_001, agent: 35_002, metadata: 35_003 } as const;

/** The configuration of a home; `undefined` before the first `kluster up` or `kluster manager`. */
export function readHomeConfig(home: Home): Promise<HomeConfig | undefined> {
  return readJsonFile(home.configFile, homeConfigSchema);
}

/** Readable by the owner only: it may hold tokens. */
export async function writeHomeConfig(home: Home, config: HomeConfig): Promise<void> {
  await writeJsonFile<typeof homeConfigSchema>(home.configFile, config);
}

/** Where this machine reaches the API of its own manager. */
export function managerUrl(config: HomeConfig): string {
  const anyAddress = config.bind === '0.0.0.0' || config.bind === '::';
  return `http://${urlHost(anyAddress ? config.hostaddr : config.bind)}:${String(config.port)}`;
}
