import { describe, expect, test } from 'vitest';
import { instanceId } from '../../../src/core/ids.ts';
import type { PostgresInstanceSpec } from '../../../src/core/agent-protocol.ts';
import { withFormerLine } from '../../../src/engines/postgres/altered-settings.ts';
import {
  postgresConfiguration,
  postgresHostAccess,
  postgresSettings,
} from '../../../src/engines/postgres/configuration.ts';
import { postgresLayout } from '../../../src/engines/postgres/layout.ts';
import { quoteIdentifier, quoteText } from '../../../src/engines/postgres/quote.ts';

const spec: PostgresInstanceSpec = {
  engine: 'postgres',
  hostaddr: '10.0.0.1',
  port: 47_001,
  datadir: '/comp',
  profile: 'small',
  labels: {},
  sealedAccounts: 'x',
};
const layout = postgresLayout(instanceId('comp-1'), spec);

test('every session can hold a prepared transaction', () => {
  const settings = postgresSettings({ ...spec, maxConnections: 250 }, layout);
  expect(settings).toMatchObject({ max_connections: '250', max_prepared_transactions: '250' });
});

test('no value can start a line of its own', () => {
  expect(() => postgresConfiguration({ ...spec, hostaddr: "x'\nfsync=off" }, layout)).toThrow(RangeError);
  expect(postgresConfiguration({ ...spec, hostaddr: "it's" }, layout)).toContain(
    "listen_addresses = 'it''s'",
  );
});

test('the network is let in by password only', () => {
  const lines = postgresHostAccess().trim().split('\n');
  expect(lines.filter((line) => line.startsWith('host'))).toHaveLength(2);
  for (const line of lines)
    expect(line).toMatch(/^(host .* scram-sha-256|local all kluster_agent peer map=kluster)$/);
});

describe('quoting', () => {
  test('identifiers', () => {
    expect(quoteIdentifier('a"b')).toBe('"a""b"');
    expect(() => quoteIdentifier('x'.repeat(64))).toThrow(RangeError);
  });

  test('texts', () => {
    expect(quoteText(String.raw`it's \ here`)).toBe(String.raw`E'it\'s \\ here'`);
    expect(() => quoteText('\0')).toThrow(RangeError);
  });
});

test('an altered setting is put back to what it was, or is altered no more', () => {
  const text = "# written by ALTER SYSTEM\nwork_mem = '4MB'\nmax_worker_processes = '9'\n";
  const name = 'max_worker_processes';
  expect(withFormerLine(text, { name, value: '8' })).toBe(
    "# written by ALTER SYSTEM\nwork_mem = '4MB'\nmax_worker_processes = '8'\n",
  );
  expect(withFormerLine('', { name, value: String.raw`it's \ x` })).toBe(
    String.raw`
max_worker_processes = 'it''s \\ x'
`,
  );
  expect(withFormerLine(text, { name: 'Work_Mem', value: null })).toBe(
    "# written by ALTER SYSTEM\nmax_worker_processes = '9'\n",
  );
});
