import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clockHeader,
  clockOf,
  nonceHeader,
  replayWindowMs,
  signRequest,
  timestampHeader,
  verifyRequest,
} from '../../../src/core/request-signature.ts';

const secret = 'secret-of-this-test';
const request = { method: 'PUT', path: '/v1/instances/a', target: '10.0.0.1:35002', body: '{"a":1}' };

describe('a signed request', () => {
  test('is accepted with its epoch, within the window', () => {
    const headers = signRequest(secret, request, 12);
    const signedAt = Number(headers[timestampHeader]);
    expect(verifyRequest(secret, request, headers, signedAt)).toMatchObject({ ok: true, epoch: 12 });
    expect(verifyRequest(secret, request, headers, signedAt + replayWindowMs)).toMatchObject({ ok: true });
    expect(verifyRequest(secret, request, headers, signedAt + replayWindowMs + 1)).toMatchObject({
      ok: false,
    });
    expect(verifyRequest(secret, request, headers, signedAt - replayWindowMs - 1)).toMatchObject({
      ok: false,
    });
  });

  test('tells whoever signs by another clock what time it is, and nobody else', () => {
    const hour = 3_600_000;
    const now = Date.now() + hour;
    const headers = signRequest(secret, request, 12);
    const refused = verifyRequest(secret, request, headers, now);
    if (refused.ok) throw new Error('accepted');
    const clock = new Headers(refused.clock);
    expect(clockOf(secret, headers[nonceHeader] ?? '', clock)).toBe(now);
    // Neither to another request, nor with another secret, nor when it was changed on its way.
    expect(clockOf(secret, 'another-nonce-of-16', clock)).toBeNull();
    expect(clockOf('another', headers[nonceHeader] ?? '', clock)).toBeNull();
    clock.set(clockHeader, String(now + hour));
    expect(clockOf(secret, headers[nonceHeader] ?? '', clock)).toBeNull();
    expect(verifyRequest('another', request, headers, now)).not.toHaveProperty('clock');
    const again = signRequest(secret, request, 12, now);
    expect(verifyRequest(secret, request, again, now)).toMatchObject({ ok: true });
  });

  test('is refused when any part of it is another one', () => {
    const headers = signRequest(secret, request, 12);
    const others = [
      { ...request, method: 'POST' },
      { ...request, path: '/v1/instances/b' },
      { ...request, target: '10.0.0.2:35002' },
      { ...request, body: '{"a":2}' },
    ];
    for (const other of others)
      expect(verifyRequest(secret, other, headers, Date.now())).toMatchObject({ ok: false });
    expect(verifyRequest('another', request, headers, Date.now())).toMatchObject({ ok: false });
  });

  test('is refused when any header was changed', () => {
    const names = Object.keys(signRequest(secret, request, 12));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.string(), (name, value) => {
        const headers = signRequest(secret, request, 12);
        fc.pre(headers[name] !== value);
        expect(verifyRequest(secret, request, { ...headers, [name]: value }, Date.now())).toMatchObject({
          ok: false,
        });
      }),
    );
  });

  test('is refused when a header is missing', () => {
    const headers = signRequest(secret, request, 12);
    for (const name of Object.keys(headers)) {
      const { [name]: _, ...rest } = headers;
      expect(verifyRequest(secret, request, rest, Date.now())).toMatchObject({ ok: false });
    }
  });
});
