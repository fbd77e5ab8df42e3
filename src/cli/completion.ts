import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** One command with everything that may follow it. */
interface Completions {
  /** `kluster job list`, as typed. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly {
    readonly flag: string;
    readonly description: string;
    readonly choices: readonly string[];
    readonly takesValue: boolean;
  }[];
}

function completionsOf(command: Command, path: string): readonly Completions[] {
  const visible = command.commands.filter((child) => !isHidden(child));
  return [
    {
      path,
      commands: visible.map((child) => ({
        name: child.name(),
        description: firstSentence(child.description()),
      })),
      options: [
        ...command.options.filter((option) => !option.hidden).map(describeOption),
        { flag: '--help', description: 'Show help', choices: [], takesValue: false },
      ],
    },
    ...visible.flatMap((child) => completionsOf(child, `${path} ${child.name()}`)),
  ];
}

function isHidden(command: Command): boolean {
  return '_hidden' in command && command._hidden === true;
}

function describeOption(option: Option): Completions['options'][number] {
  return {
    flag: option.long ?? option.short ?? '',
    description: firstSentence(option.description),
    choices: option.argChoices ?? [],
    takesValue: option.required || option.optional,
  };
}

function firstSentence(text: string): string {
  return text.split(/\.(?:\s|$)/)[0] ?? '';
}

/** A word in single quotes for the shell that reads the script. */
function quoted(text: string, escapedQuote: string): string {
  return `'${text.replaceAll("'", escapedQuote)}'`;
}

const shQuoted = (text: string): string => quoted(text, String.raw`'\''`);
const fishQuoted = (text: string): string => quoted(text.replaceAll('\\', '\\\\'), String.raw`\'`);

function caseLines(all: readonly Completions[]): string {
  return all
    .map(({ path, commands, options }) => {
      const words = [...commands.map(({ name }) => name), ...options.map(({ flag }) => flag)];
      return `    ${shQuoted(path)}) words=${shQuoted(words.join(' '))} ;;`;
    })
    .join('\n');
}

function choiceLines(all: readonly Completions[]): string {
  return all
    .flatMap(({ path, options }) =>
      options
        .filter(({ choices }) => choices.length > 0)
        .map(
          ({ flag, choices }) =>
            `    ${shQuoted(`${path} ${flag}`)}) words=${shQuoted(choices.join(' '))} ;;`,
        ),
    )
    .join('\n');
}

/** The lines of a shell's `case` that extend the command typed so far by one more word. */
function typedLines(all: readonly Completions[]): string {
  return all.map(({ path }) => `      ${shQuoted(path)}) typed=${shQuoted(path)} ;;`).join('\n');
}

/** Walks the words typed so far: each that continues the path of a command belongs to it. */
function bashScript(name: string, all: readonly Completions[]): string {
  return `# bash completion for ${name}: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local typed=${name} index words=''
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$typed \${COMP_WORDS[index]}" in
${typedLines(all)}
    esac
  done
  case "$typed $previous" in
${choiceLines(all)}
  esac
  if [[ -z $words ]]; then
    case $typed in
${caseLines(all)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

function zshScript(name: string, all: readonly Completions[]): string {
  return `#compdef ${name}
# zsh completion for ${name}: source <(${name} completion zsh)
_${name}() {
  local typed=${name} index found=''
  for ((index = 2; index < CURRENT; index++)); do
    case "$typed \${words[index]}" in
${typedLines(all)}
    esac
  done
  case "$typed \${words[CURRENT-1]}" in
${choiceLines(all).replaceAll(') words=', ') found=')}
  esac
  if [[ -z $found ]]; then
    case $typed in
${caseLines(all).replaceAll(') words=', ') found=')}
    esac
  fi
  compadd -- \${=found}
}
compdef _${name} ${name}
`;
}

function fishScript(name: string, all: readonly Completions[]): string {
  const lines = all.flatMap(({ path, commands, options }) => {
    const condition = `-n ${fishQuoted(`test (__${name}_typed) = "${path}"`)}`;
    return [
      ...commands.map(
        (command) =>
          `complete -c ${name} -f ${condition} -a ${fishQuoted(command.name)} -d ${fishQuoted(command.description)}`,
      ),
      ...options.map(({ flag, description, choices, takesValue }) => {
        const values =
          choices.length > 0 ? ` -x -a ${fishQuoted(choices.join(' '))}` : takesValue ? ' -r' : '';
        const long = flag.replace(/^-+/, '');
        return `complete -c ${name} ${condition} -l ${long}${values} -d ${fishQuoted(description)}`;
      }),
    ];
  });
  return `# fish completion for ${name}: ${name} completion fish | source
set -g __${name}_paths ${all.map(({ path }) => fishQuoted(path)).join(' ')}
function __${name}_typed
  set -l typed ${name}
  set -l tokens (commandline -opc)
  for word in $tokens[2..]
    contains -- "$typed $word" $__${name}_paths; and set typed "$typed $word"
  end
  echo $typed
end
${lines.join('\n')}
`;
}

const writers: Readonly<Record<Shell, typeof bashScript>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** A completion script for a shell, generated from the tree of commands. */
export function completionScript(program: Command, shell: Shell): string {
  return writers[shell](program.name(), completionsOf(program, program.name()));
}
