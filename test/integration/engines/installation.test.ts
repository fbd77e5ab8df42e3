import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { engineUser, findMysql, findPostgres } from '../../../src/engines/installation.ts';
import { scratchDirectory } from '../../support/scratch.ts';

const run = promisify(execFile);

async function printedBy(command: { file: string; args: readonly string[] }): Promise<string> {
  const { stdout } = await run(command.file, [...command.args], { timeout: 20_000 });
  return stdout;
}

/** A program that answers as `text` says; what is found is judged by what programs print. */
async function programThatRuns(path: string, script: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

test('the programs of the MySQL that setup installed run, and are of one version', async () => {
  const mysql = await findMysql();
  for (const program of ['mysqld', 'mysql', 'mysqladmin', 'mysqlbinlog', 'mysqldump', 'mysqlrouter']) {
    expect(await printedBy(mysql.command(program, ['--version']))).toContain(mysql.version);
  }
});

test('the programs of PostgreSQL run, and are of one version', async () => {
  const postgres = await findPostgres();
  for (const program of ['postgres', 'initdb', 'psql', 'pg_dump']) {
    expect(await printedBy(postgres.command(program, ['--version']))).toContain(postgres.version);
  }
});

test('a PostgreSQL can be named by its bin directory or by the parent of that', async () => {
  const { directory } = await findPostgres();
  const byBin = await findPostgres({ directory: join(directory, 'bin') });
  const byParent = await findPostgres({ directory });
  expect([byBin.directory, byParent.directory]).toEqual([directory, directory]);
});

test('a MySQL that somebody unpacked elsewhere is found by its directory or its bin directory', async () => {
  const setups = await findMysql();
  const { file, args } = setups.command('mysqld', []);
  const own = join(await scratchDirectory(), 'mysql-of-mine');
  await programThatRuns(
    join(own, 'bin', 'mysqld'),
    `exec '${file}' ${args.map((arg) => `'${arg}'`).join(' ')} "$@"`,
  );
  await mkdir(join(own, 'lib'));
  await symlink(setups.pluginDirectory, join(own, 'lib', 'plugin'));
  await symlink(setups.messagesDirectory, join(own, 'share'));
  for (const directory of [own, join(own, 'bin')]) {
    const found = await findMysql({ directory });
    expect(found).toMatchObject({
      version: setups.version,
      basedir: own,
      pluginDirectory: join(own, 'lib', 'plugin'),
      messagesDirectory: join(own, 'share'),
    });
    expect(await printedBy(found.command('mysqld', ['--version']))).toContain(setups.version);
  }
});

test.each([
  ['MySQL 8.0', 'mysqld  Ver 8.0.43 for Linux on x86_64', 'version 8.0.43, but 8.4 or newer is needed'],
  ['MariaDB', 'mysqld  Ver 11.8.2-MariaDB for Linux on x86_64', 'is not a MySQL server'],
])('%s is refused with the reason', async (_, printed, reason) => {
  const directory = await scratchDirectory();
  await programThatRuns(join(directory, 'bin', 'mysqld'), `echo '${printed}'`);
  await mkdir(join(directory, 'lib', 'plugin'), { recursive: true });
  await mkdir(join(directory, 'share', 'english'), { recursive: true });
  await writeFile(join(directory, 'share', 'english', 'errmsg.sys'), '');
  await expect(findMysql({ directory })).rejects.toMatchObject({
    kind: 'engine_missing',
    message: expect.stringContaining(reason),
  });
});

test('a directory without an engine is refused by name', async () => {
  const directory = await scratchDirectory();
  await expect(findMysql({ directory })).rejects.toThrow(directory);
  await expect(findPostgres({ directory })).rejects.toThrow(directory);
  await expect(findMysql({ directory: join(directory, 'absent') })).rejects.toThrow(
    join(directory, 'absent'),
  );
});

test('a prefix without its mark is not taken for complete', async () => {
  const directory = await scratchDirectory();
  await writeFile(join(directory, 'engine.json'), '{ "engine": "mysql" }');
  await expect(findMysql({ directory })).rejects.toThrow('does not describe an engine');
});

test('a program that the installation lacks is named', async () => {
  const postgres = await findPostgres();
  expect(() => postgres.command('mysqld', [])).toThrow(/no program mysqld/);
});

test('engines run as somebody who is not root', async () => {
  const user = await engineUser();
  expect(user.uid).toBeGreaterThan(0);
});
