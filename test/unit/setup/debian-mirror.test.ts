import { expect, test } from 'vitest';
import { debianMirror } from '../../../scripts/setup/debian-mirror.ts';

const list = (text: string) => ({ name: '/etc/apt/sources.list', text });
const sources = (text: string) => ({ name: '/etc/apt/sources.list.d/debian.sources', text });

test('a one-line entry, past comments, source packages and other suites', () => {
  const file = list(`
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb http://security.example/debian-security bookworm-security main
deb http://mirror.example/debian bookworm main contrib  # the nearest
`);
  expect(debianMirror([file], 'bookworm')).toBe('http://mirror.example/debian');
});

test('options of a one-line entry may contain blanks', () => {
  const file = list(
    'deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] https://m.example/debian/ trixie main\n',
  );
  expect(debianMirror([file], 'trixie')).toBe('https://m.example/debian/');
});

test('deb822 stanzas: comments inside, continued fields, field names in any case', () => {
  const file = sources(`Types: deb
# archived: http://old.example/debian
uris: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components:
 main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
`);
  expect(debianMirror([file], 'bookworm')).toBe('http://mirror.example/debian');
});

test('the first of several URIs of a stanza', () => {
  const file = sources(
    'Types: deb deb-src\nURIs: http://a.example/debian http://b.example/debian\nSuites: bookworm\nComponents: main\n',
  );
  expect(debianMirror([file], 'bookworm')).toBe('http://a.example/debian');
});

test('stanzas that are switched off, and CDs, are not used', () => {
  const off = sources(
    'Enabled: no\nTypes: deb\nURIs: http://a.example/debian\nSuites: bookworm\nComponents: main\n',
  );
  const cd = list('deb cdrom:[Debian GNU/Linux 12]/ bookworm main\n');
  expect(debianMirror([off, cd], 'bookworm')).toBeUndefined();
});

test("a vendor's archive with Debian's suite names does not win over Debian's own", () => {
  const vendor = list(
    'deb [signed-by=/usr/share/keyrings/vendor.gpg] https://apt.vendor.example bookworm main\n',
  );
  const debian = sources(
    'Types: deb\nURIs: http://proxy.example/cache/debian\nSuites: bookworm\nComponents: main\n',
  );
  expect(debianMirror([vendor, debian], 'bookworm')).toBe('http://proxy.example/cache/debian');
});

test('credentials in the URI are kept: apt needs them', () => {
  const file = list('deb https://user:word@mirror.example/debian bookworm main\n');
  expect(debianMirror([file], 'bookworm')).toBe('https://user:word@mirror.example/debian');
});

test('a machine of another release has no entry', () => {
  expect(debianMirror([list('deb http://m.example/debian bullseye main\n')], 'bookworm')).toBeUndefined();
});
