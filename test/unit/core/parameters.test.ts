import * as fc from 'fast-check';
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/core/json.ts';
import {
  addressList,
  choice,
  flag,
  hostAddress,
  integer,
  text,
} from '../../../src/core/parameters/fields.ts';
import { normaliseParas, parseParameters, redactSecrets } from '../../../src/core/parameters/parse.ts';

const schema = Type.Object({
  shards: integer({
    description: 'shards',
    codes: { missing: 70_072, invalid: 70_072, range: 70_073 },
    minimum: 1,
    maximum: 256,
  }),
  ha_mode: choice(['no_rep', 'rbr', 'mgr'], { description: 'mode', codes: { invalid: 70_071 } }),
  nick_name: Type.Optional(text({ description: 'name', codes: { invalid: 70_501 }, maxLength: 8 })),
  small: Type.Optional(flag({ description: 'small', codes: { invalid: 70_010 } })),
  hosts: Type.Optional(addressList({ description: 'hosts', codes: { invalid: 70_181 } })),
  master: Type.Optional(hostAddress({ description: 'master', codes: { invalid: 70_182 } })),
  password: Type.Optional(
    text({ description: 'password', codes: { invalid: 70_011 }, minLength: 8, maxLength: 20, secret: true }),
  ),
});

const parse = (paras: Json | undefined) => parseParameters(schema, paras);

function violationsOf(paras: Json | undefined): readonly string[] {
  const result = parse(paras);
  return result.ok ? [] : result.violations.map(({ field, code }) => `${field} ${String(code)}`);
}

/** A valid request in the types that the schema names. */
const valid = fc.record(
  {
    shards: fc.integer({ min: 1, max: 256 }),
    ha_mode: fc.constantFrom('no_rep', 'rbr', 'mgr'),
    nick_name: fc.string({
      minLength: 1,
      maxLength: 8,
      unit: fc.constantFrom('a', 'b', '_', ' ', '\u4e2d', '"', '\\'),
    }),
    small: fc.boolean(),
    hosts: fc.uniqueArray(fc.ipV4(), { maxLength: 4 }),
  },
  { requiredKeys: ['shards', 'ha_mode'] },
);

/** The same request as consoles write it: everything as text. */
function asText(paras: Readonly<Record<string, string | number | boolean | readonly string[]>>): Json {
  return Object.fromEntries(
    Object.entries(paras).map(([key, value]) => {
      if (typeof value === 'boolean') return [key, value ? '1' : '0'];
      return [key, typeof value === 'object' ? value.join(',') : String(value)];
    }),
  );
}

describe('valid parameters', () => {
  it('mean the same as numbers and as text, in any wrapping', () => {
    fc.assert(
      fc.property(valid, (paras) => {
        const expected = { ok: true, value: paras };
        expect(parse(paras)).toEqual(expected);
        expect(parse(JSON.stringify(paras))).toEqual(expected);
        // A list without members is, as text, an empty optional text: absent.
        const { hosts, ...rest } = paras;
        const expectedText = hosts?.length === 0 ? { ok: true, value: rest } : expected;
        expect(parse(asText(paras))).toEqual(expectedText);
      }),
    );
  });

  it('come out of a second parsing unchanged', () => {
    fc.assert(
      fc.property(fc.oneof(valid, valid.map(asText)), (paras) => {
        const once = parse(paras);
        expect(once.ok && parse(once.value)).toEqual(once);
      }),
    );
  });

  it('are not disturbed by unknown keys, and do not let them through', () => {
    fc.assert(
      fc.property(
        valid,
        fc.dictionary(
          fc.string().map((key) => `x${key}`),
          fc.jsonValue(),
        ),
        (paras, extra) => {
          expect(parse({ ...(extra as Record<string, Json>), ...paras })).toEqual({ ok: true, value: paras });
        },
      ),
    );
  });

  it.each(['1', 'true', 'ON', 'yes', 1, true])('take %j for yes', (small) => {
    expect(parse({ shards: 1, ha_mode: 'rbr', small })).toMatchObject({ value: { small: true } });
  });

  it.each(['0', 'false', 'off', 'No', 0, false])('take %j for no', (small) => {
    expect(parse({ shards: 1, ha_mode: 'RBR', small })).toMatchObject({
      value: { small: false, ha_mode: 'rbr' },
    });
  });
});

describe('violations', () => {
  it('are all reported, each once, with the code of its rule', () => {
    const broken = {
      shards: ['abc', '', '0', 257, -1, 1.5, null, true, [], '1e3', '0x10', '1'.repeat(40)],
      ha_mode: ['raft', '', 7, null],
      nick_name: ['123456789', ['a'], true, 'a\u0000b', '\ud800'],
      small: ['maybe', 2, [1]],
      hosts: [['10.0.0.1', '10.0.0.1'], [''], { a: 1 }, [[]]],
      master: ['-x', 'a b', 'x;y', '10.0.0.1:'],
    } satisfies Record<string, readonly Json[]>;
    const fields = Object.keys(broken) as (keyof typeof broken)[];
    fc.assert(
      fc.property(fc.subarray(fields, { minLength: 1 }), fc.nat(), (chosen, pick) => {
        const paras: Record<string, Json> = { shards: 1, ha_mode: 'mgr' };
        for (const field of chosen) paras[field] = broken[field][pick % broken[field].length] ?? null;
        const reported = new Set(violationsOf(paras).map((line) => line.replace(/\[\d+\]| \d+$/g, '')));
        expect(reported).toEqual(new Set(chosen.map((field) => `paras.${field}`)));
      }),
    );
  });

  it('carry the code of what is wrong: missing, not a number, out of range', () => {
    expect(violationsOf({ ha_mode: 'rbr' })).toEqual(['paras.shards 70072']);
    expect(violationsOf({ ha_mode: 'rbr', shards: 'many' })).toEqual(['paras.shards 70072']);
    expect(violationsOf({ ha_mode: 'rbr', shards: '257' })).toEqual(['paras.shards 70073']);
    expect(violationsOf({})).toEqual(['paras.shards 70072', 'paras.ha_mode 70071']);
  });

  it('of a whole that is no object name it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const paras = normaliseParas(value);
        if (typeof paras === 'object' && paras !== null && !Array.isArray(paras)) return;
        expect(violationsOf(value)).toEqual(['paras 70005']);
      }),
    );
  });

  it('never show a secret, not even a part of one', () => {
    const result = parse({ shards: 1, ha_mode: 'rbr', password: 'pst' });
    expect(result.ok ? [] : result.violations).toMatchObject([
      { field: 'paras.password', value: '********' },
    ]);
  });

  it('show long values shortened', () => {
    const result = parse({ shards: 'x'.repeat(100_000), ha_mode: 'rbr' });
    expect(result.ok ? '' : result.violations[0].value).toHaveLength(61);
  });
});

describe('any input', () => {
  it('is either parsed or refused, never a crash, and never touches prototypes', () => {
    const special = fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty');
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(special, fc.jsonValue())), (value) => {
        const result = parse(JSON.parse(JSON.stringify(value)) as Json);
        expect(result.ok || result.violations.length > 0).toBe(true);
        expect(Object.getPrototypeOf({})).toBe(Object.prototype);
      }),
    );
  });
});

describe('records', () => {
  it('keep everything but the secrets', () => {
    const paras = { shards: '1', password: 'hunter2-hunter2', other: [1] };
    expect(redactSecrets(schema, paras)).toEqual({ ...paras, password: '********' });
    expect(redactSecrets(schema, JSON.stringify(paras))).toEqual({ ...paras, password: '********' });
    expect(redactSecrets(schema, '[]')).toEqual({});
  });
});
