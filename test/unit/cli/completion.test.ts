import { execFileSync } from 'node:child_process';
import { Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { completionScript } from '../../../src/cli/completion.ts';

function sample(): Command {
  const program = new Command('kluster').option('--url <url>', "the manager's URL");
  const job = program.command('job').description('Jobs. And more');
  job
    .command('list')
    .description('List jobs')
    .addOption(new Option('--status <word>', 'which').choices(['done', 'failed']));
  job.command('show').description('Show one');
  program.command('create-cluster').description('Make one').option('--ha-mode <word>', 'mode');
  return program;
}

/** What bash offers after the words typed so far. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${completionScript(sample(), 'bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kluster; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  return output.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  test('offers the commands, and those that begin as typed', () => {
    expect(offered('kluster', '')).toEqual(['job', 'create-cluster', '--url', '--help']);
    expect(offered('kluster', 'cr')).toEqual(['create-cluster']);
  });

  test('offers what belongs to the command typed so far', () => {
    expect(offered('kluster', 'job', '')).toEqual(['list', 'show', '--help']);
    expect(offered('kluster', '--url', 'http://x', 'job', 'list', '--')).toEqual(['--status', '--help']);
    expect(offered('kluster', 'create-cluster', '--h')).toEqual(['--ha-mode', '--help']);
  });

  test('offers the words that an option allows', () => {
    expect(offered('kluster', 'job', 'list', '--status', '')).toEqual(['done', 'failed']);
  });
});

describe('completion in other shells', () => {
  test('zsh and fish get every command and option', () => {
    for (const shell of ['zsh', 'fish'] as const) {
      const script = completionScript(sample(), shell);
      for (const word of ['list', 'show', 'create-cluster', 'status', 'ha-mode', 'done failed']) {
        expect(script).toContain(word);
      }
    }
  });

  test('quotes in descriptions do not end the quoting', () => {
    expect(completionScript(sample(), 'fish')).toContain(String.raw`-d 'the manager\'s URL'`);
  });
});
