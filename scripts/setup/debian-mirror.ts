/** One source of packages as apt's configuration describes it. */
interface PackageSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

/** A file of apt's configuration. */
export interface SourceFile {
  readonly name: string;
  readonly text: string;
}

/** URIs that can serve another suite than the one configured; a CD cannot. */
const usableScheme = /^(?:https?|ftp|file|copy|mirror|mirror\+\w+|tor\+https?):/;

/**
 * The mirror of Debian that this machine's apt uses: the source of `codename` (such as `bookworm`) with component
 * main. Vendors name their own archives after Debian's suites too, hence entries at a path `…/debian` and those signed
 * with Debian's keyring go first. Undefined when apt knows no such source.
 */
export function debianMirror(files: readonly SourceFile[], codename: string): string | undefined {
  const candidates = files
    .flatMap((file) => (file.name.endsWith('.sources') ? deb822Sources(file.text) : lineSources(file.text)))
    .filter((source) => source.suites.includes(codename) && source.components.includes('main'))
    .filter((source) => usableScheme.test(source.uri));
  return candidates.toSorted((a, b) => likelihood(b) - likelihood(a))[0]?.uri;
}

function likelihood(source: PackageSource): number {
  const atUsualPath = /\/debian(?:\/|$)/.test(source.uri) ? 2 : 0;
  const signedByDebian = source.signedBy?.includes('debian-archive') === true ? 1 : 0;
  const signedByAnother = source.signedBy !== undefined && signedByDebian === 0 ? -2 : 0;
  return atUsualPath + signedByDebian + signedByAnother;
}

/** One-line style: `deb [option=value …] uri suite component…` (sources.list(5)). */
function lineSources(text: string): PackageSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    const [, options, uri, suite, components] = match ?? [];
    if (uri === undefined || suite === undefined || components === undefined) return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options ?? '')?.[1];
    return [{ uri, suites: [suite], components: words(components), signedBy }];
  });
}

/** deb822 style: stanzas of `Field: values`, continued on lines that begin with a blank (sources.list(5)). */
function deb822Sources(text: string): PackageSource[] {
  return withoutComments(text)
    .split(/\n[ \t]*(?:\n[ \t]*)+/)
    .map(stanzaFields)
    .filter((fields) => words(fields.get('types')).includes('deb') && isEnabled(fields))
    .flatMap((fields) =>
      words(fields.get('uris')).map((uri) => ({
        uri,
        suites: words(fields.get('suites')),
        components: words(fields.get('components')),
        signedBy: fields.get('signed-by'),
      })),
    );
}

function isEnabled(fields: ReadonlyMap<string, string>): boolean {
  return !['no', 'false', '0', 'off', 'disable', 'without'].includes(
    (fields.get('enabled') ?? 'yes').toLowerCase(),
  );
}

function stanzaFields(stanza: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    const [, name, value] = /^([A-Za-z][\w-]*):(.*)$/.exec(line) ?? [];
    if (name !== undefined) current = name.toLowerCase();
    const before = fields.get(current);
    if (current !== '') fields.set(current, `${before ?? ''} ${value ?? line}`.trim());
  }
  return fields;
}

function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n');
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
