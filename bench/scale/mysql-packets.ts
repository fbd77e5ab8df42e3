/** Packets of MySQL's client/server protocol, as far as a look of the manager at a node needs them. */
export type SimulatedRow = Readonly<Record<string, string | null>>;

export interface SimulatedResult {
  readonly columns: readonly string[];
  readonly rows: readonly SimulatedRow[];
}

const capabilities =
  /* long password, long flag, with database, protocol 4.1, TLS, transactions, secure connection */
  0x1 |
  0x4 |
  0x8 |
  0x200 |
  0x800 |
  0x2000 |
  0x8000 |
  /* multiple results, plugins */ 0x2_0000 |
  0x4_0000 |
  0x8_0000;
const utf8mb4 = 255;
const varString = 0xfd;
const autocommit = 2;
const scramble = Buffer.from('a-scramble-of-no-use');

const u16 = (value: number): Buffer => Buffer.from([value & 0xff, (value >> 8) & 0xff]);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

function lengthEncoded(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length =
    bytes.length < 251
      ? Buffer.from([bytes.length])
      : Buffer.concat([Buffer.from([0xfc]), u16(bytes.length)]);
  return Buffer.concat([length, bytes]);
}

/** One after another, numbered from `first`. */
export function packets(first: number, payloads: readonly Buffer[]): Buffer {
  return Buffer.concat(
    payloads.flatMap((payload, index) => [
      Buffer.from([
        payload.length & 0xff,
        (payload.length >> 8) & 0xff,
        payload.length >> 16,
        (first + index) & 0xff,
      ]),
      payload,
    ]),
  );
}

export function greeting(connectionId: number): Buffer {
  return Buffer.concat([
    Buffer.from('\x0a9.7.4-simulated\0', 'latin1'),
    u32(connectionId),
    scramble.subarray(0, 8),
    Buffer.from([0]),
    u16(capabilities),
    Buffer.from([utf8mb4]),
    u16(autocommit),
    u16(capabilities >>> 16),
    Buffer.from([scramble.length + 1]),
    Buffer.alloc(10),
    scramble.subarray(8),
    Buffer.from('\0caching_sha2_password\0', 'latin1'),
  ]);
}

/** The server remembers the account: no full exchange of the password. */
export const fastLogin = Buffer.from([1, 3]);
export const ok = Buffer.from([0, 0, 0, autocommit, 0, 0, 0]);
const end = Buffer.from([0xfe, 0, 0, autocommit, 0]);

export function refusal(message: string): Buffer {
  return Buffer.concat([Buffer.from([0xff]), u16(1064), Buffer.from(`#42000${message}`)]);
}

function columnDefinition(name: string): Buffer {
  return Buffer.concat([
    ...['def', '', '', '', name, ''].map(lengthEncoded),
    Buffer.from([0x0c]),
    u16(utf8mb4),
    u32(1024),
    Buffer.from([varString, 0, 0, 0, 0, 0]),
  ]);
}

export function prepared(
  statementId: number,
  parameters: number,
  columns: readonly string[],
): readonly Buffer[] {
  const definitions = (names: readonly string[]): readonly Buffer[] =>
    names.length === 0 ? [] : [...names.map(columnDefinition), end];
  const head = Buffer.concat([
    Buffer.from([0]),
    u32(statementId),
    u16(columns.length),
    u16(parameters),
    Buffer.from([0, 0, 0]),
  ]);
  return [head, ...definitions(Array.from({ length: parameters }, () => '?')), ...definitions(columns)];
}

/** `binary`: as the execution of a prepared statement answers. */
export function resultSet({ columns, rows }: SimulatedResult, binary: boolean): readonly Buffer[] {
  const encode = binary ? binaryRow : textRow;
  return [
    Buffer.from([columns.length]),
    ...columns.map(columnDefinition),
    end,
    ...rows.map((row) => encode(columns.map((column) => row[column] ?? null))),
    end,
  ];
}

function textRow(values: readonly (string | null)[]): Buffer {
  return Buffer.concat(values.map((value) => (value === null ? Buffer.from([0xfb]) : lengthEncoded(value))));
}

function binaryRow(values: readonly (string | null)[]): Buffer {
  const nulls = Buffer.alloc(Math.floor((values.length + 9) / 8));
  values.forEach((value, index) => {
    const bit = index + 2;
    if (value === null) nulls[bit >> 3] = (nulls[bit >> 3] ?? 0) | (1 << (bit & 7));
  });
  const present = values.flatMap((value) => (value === null ? [] : [lengthEncoded(value)]));
  return Buffer.concat([Buffer.from([0]), nulls, ...present]);
}
