import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { accessControl, checkAccess, startRefusal } from '../../../src/http/access.ts';
import { originGuard } from '../../../src/http/origin-guard.ts';

const token = 'correct-horse-battery';

describe('whether a server may start', () => {
  it.each([['127.0.0.1'], ['127.0.5.1'], ['::1'], ['localhost']])('may on %s without tokens', (bind) => {
    expect(startRefusal({ bind })).toBeUndefined();
  });

  it.each([['0.0.0.0'], ['::'], ['10.0.0.7'], ['192.168.1.2'], ['db.example.com']])(
    'may not on %s without tokens, unless somebody wrote that nobody is asked',
    (bind) => {
      expect(startRefusal({ bind })).toContain(bind);
      expect(startRefusal({ bind, auth: 'none' })).toBeUndefined();
      expect(startRefusal({ bind, tokens: [{ name: 'ops', token }] })).toBeUndefined();
    },
  );

  it('refuses tokens that protect nothing', () => {
    const bind = '10.0.0.7';
    expect(startRefusal({ bind, tokens: [{ name: 'ops', token: 'short' }] })).toContain('tokens[0].token');
    expect(startRefusal({ bind, tokens: [{ name: 'ops' }] })).toContain('tokens[0]');
    expect(startRefusal({ bind, tokens: [{ name: '', token }] })).toContain('tokens[0].name');
    expect(startRefusal({ bind, tokens: [{ name: 'ops', sha256: 'abc' }] })).toContain('sha256');
    expect(startRefusal({ bind, auth: 'none', tokens: [{ name: 'ops', token }] })).toContain('none');
  });

  it('names the configuration as the cause', () => {
    expect(() => checkAccess({ bind: '0.0.0.0' })).toThrow(
      expect.objectContaining({ kind: 'configuration' }),
    );
  });
});

describe('tokens', () => {
  const control = accessControl({
    bind: '10.0.0.7',
    tokens: [
      { name: 'ops', token },
      {
        name: 'robot',
        sha256: createHash('sha256').update('another-long-token').digest('hex').toUpperCase(),
      },
    ],
  });

  it('knows the users of clear and hashed tokens', () => {
    expect(control.userOf(`Bearer ${token}`)).toBe('ops');
    expect(control.userOf('bearer another-long-token')).toBe('robot');
  });

  it.each([
    [undefined],
    [''],
    ['Bearer'],
    ['Bearer wrong'],
    [`Basic ${token}`],
    [token],
    [`Bearer ${token}x`],
    [`Bearer ${token} ${token}`],
  ])('refuses %j', (header) => {
    expect(() => control.userOf(header)).toThrow(expect.objectContaining({ kind: 'unauthorized' }));
  });
});

describe('web pages', () => {
  const guard = originGuard({ names: ['kluster.example.com'], checkHost: true });

  it.each([
    [{}],
    [{ host: '127.0.0.1:35001' }],
    [{ host: 'localhost:35001' }],
    [{ host: 'LOCALHOST' }],
    [{ host: '[::1]:35001' }],
    [{ host: 'kluster.example.com:35001' }],
    [{ host: '127.0.0.1:35001', origin: 'http://127.0.0.1:35001' }],
    [{ host: '127.0.0.1:35001', origin: 'https://kluster.example.com' }],
  ])('lets %j through', (headers) => {
    expect(() => guard(headers)).not.toThrow();
  });

  it.each([
    [{ host: 'evil.example.com' }],
    [{ host: 'evil.example.com:35001' }],
    [{ host: '127.0.0.1.evil.example.com' }],
    [{ host: '' }],
    [{ host: '127.0.0.1:35001', origin: 'http://evil.example.com' }],
    [{ host: '127.0.0.1:35001', origin: 'http://127.0.0.1:8080' }],
    [{ host: '127.0.0.1:35001', origin: 'null' }],
    [{ host: '127.0.0.1:35001', origin: '' }],
    [{ host: 'evil.example.com', origin: 'http://evil.example.com' }],
  ])('stops %j', (headers) => {
    expect(() => guard(headers)).toThrow(expect.objectContaining({ kind: 'forbidden_origin' }));
  });

  it('leaves host names alone when tokens are asked for', () => {
    const open = originGuard({ names: [], checkHost: false });
    expect(() => open({ host: 'db.example.com' })).not.toThrow();
    expect(() => open({ host: 'db.example.com', origin: 'http://evil.example.com' })).toThrow();
  });
});
