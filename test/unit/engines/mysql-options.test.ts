import { describe, expect, test } from 'vitest';
import { instanceId } from '../../../src/core/ids.ts';
import type { MysqlInstanceSpec } from '../../../src/core/agent-protocol.ts';
import { mysqlLayout } from '../../../src/engines/mysql/layout.ts';
import { mysqlOptionFile, mysqlOptions } from '../../../src/engines/mysql/options.ts';
import { withFormer, withoutForbidden } from '../../../src/engines/mysql/persisted-variables.ts';
import { quoteAccount, quoteIdentifier, quoteText } from '../../../src/engines/mysql/quote.ts';

const id = instanceId('node-1');
const plain: MysqlInstanceSpec = {
  engine: 'mysql',
  hostaddr: '10.0.0.1',
  port: 57_001,
  groupReplicationPort: 57_003,
  datadir: '/data',
  logdir: '/log',
  walLogDir: '/wal',
  serverId: 9,
  profile: 'normal',
  labels: {},
  sealedAccounts: 'x',
};
const installation = {
  basedir: '/e',
  pluginDirectory: '/e/plugin',
  messagesDirectory: '/e/share',
  version: '9.7.4',
};

function input(changes: Partial<MysqlInstanceSpec> = {}) {
  const spec = { ...plain, ...changes };
  return { spec, layout: mysqlLayout(id, spec), installation };
}

describe('layout', () => {
  test('one directory of the instance in each base directory', () => {
    expect(mysqlLayout(id, plain).directories).toEqual(['/data/node-1', '/log/node-1', '/wal/node-1']);
  });

  test('base directories may be one and the same: then logs and data do not mix', () => {
    const layout = mysqlLayout(id, { ...plain, logdir: '/data', walLogDir: '/data' });
    expect(layout.directories).toEqual(['/data/node-1']);
    expect(new Set([layout.data, layout.binlog, layout.redo, layout.sockets, layout.temporary]).size).toBe(5);
  });

  test('a socket path is never longer than the kernel takes, also far down in the tree', () => {
    const layout = mysqlLayout(id, { ...plain, datadir: `/${'deep/'.repeat(30)}data` });
    expect(Buffer.byteLength(layout.socket)).toBeLessThan(108);
    expect(layout.directories).toContain(layout.sockets);
  });
});

describe('options', () => {
  test('group replication only for nodes of a group', () => {
    expect(mysqlOptionFile(input())).not.toContain('group_replication');
    const grouped = mysqlOptionFile(input({ groupName: '8a94f357-aab4-11df-86ab-c80aa9429562' }));
    expect(grouped).toContain('plugin_load_add="group_replication.so"');
    expect(grouped).toContain('group_replication_local_address="10.0.0.1:57003"');
  });

  test('only the metadata cluster groups leniently', () => {
    expect(mysqlOptions(input())['sql_mode']).toContain('ONLY_FULL_GROUP_BY');
    expect(mysqlOptions(input({ labels: { role: 'metadata' } }))['sql_mode']).not.toContain(
      'ONLY_FULL_GROUP_BY',
    );
  });

  test('sizes asked for win over those of the profile', () => {
    const asked = mysqlOptions(input({ profile: 'small', bufferPoolMb: 77, maxConnections: 33 }));
    expect(asked).toMatchObject({ innodb_buffer_pool_size: '77M', max_connections: '33' });
  });

  test('no value can start a line of its own', () => {
    expect(() => mysqlOptionFile(input({ hostaddr: 'x\nsuper_read_only=OFF' }))).toThrow(RangeError);
    expect(mysqlOptionFile(input({ datadir: '/a"b\\c' }))).toContain(
      String.raw`datadir="/a\"b\\c/node-1/data"`,
    );
  });
});

test('persisted variables lose what would make a node writable, in whatever section', () => {
  const persisted = {
    Version: 2,
    mysql_dynamic_variables: { super_read_only: { Value: 'OFF' }, max_connections: { Value: '9' } },
    mysql_static_variables: { skip_replica_start: { Value: 'OFF' } },
  };
  expect(withoutForbidden(persisted)).toEqual({
    Version: 2,
    mysql_dynamic_variables: { max_connections: { Value: '9' } },
    mysql_static_variables: {},
  });
});

test('a persisted variable is put back to what it was, or is persisted no more', () => {
  const persisted = {
    Version: 2,
    mysql_dynamic_variables: { max_connections: { Value: '9', Metadata: { User: 'u' } } },
    mysql_static_variables: { back_log: { Value: '7' } },
  };
  expect(withFormer(persisted, { name: 'max_connections', value: '5' })).toEqual({
    ...persisted,
    mysql_dynamic_variables: { max_connections: { Value: '5', Metadata: { User: 'u' } } },
  });
  expect(withFormer(persisted, { name: 'back_log', value: null })).toEqual({
    ...persisted,
    mysql_static_variables: {},
  });
  expect(withFormer(persisted, { name: 'port', value: '1' })).toEqual(persisted);
});

describe('quoting', () => {
  test('identifiers', () => {
    expect(quoteIdentifier('a`b')).toBe('`a``b`');
    expect(() => quoteIdentifier('')).toThrow(RangeError);
    expect(() => quoteIdentifier('a\0b')).toThrow(RangeError);
    expect(() => quoteIdentifier('x'.repeat(65))).toThrow(RangeError);
  });

  test('texts', () => {
    expect(quoteText(String.raw`it's \ "x"`)).toBe(String.raw`'it\'s \\ "x"'`);
    expect(quoteText('a\n\0')).toBe(String.raw`'a\n\0'`);
    expect(quoteAccount("o'brien", '%')).toBe(String.raw`'o\'brien'@'%'`);
  });
});
