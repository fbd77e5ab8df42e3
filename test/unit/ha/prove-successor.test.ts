import { describe, expect, it } from 'vitest';
import { GtidSet } from '../../../src/core/gtid-set.ts';
import type { Fenced } from '../../../src/ha/fence.ts';
import { proveSuccessor as prove } from '../../../src/ha/prove-successor.ts';
import { node, uuid } from '../../support/shard-observations.ts';

const otherUuid = 'aaaaaaaa-71ca-11e1-9e33-c80aa9429562';
const fenced = (index: number, gtids: string, follows = true): Fenced => ({
  node: node(index),
  gtids: GtidSet.parse(gtids),
  follows,
});

const everybody = [2, 3, 4].map(node);
const proveSuccessor = (all: readonly Fenced[], quorum: number) =>
  prove(all, quorum, { fit: everybody, required: true });

describe('the successor of a lost primary', () => {
  it('has the transactions of all that were fenced', () => {
    const all = [fenced(2, `${uuid}:1-9`), fenced(3, `${uuid}:1-12`), fenced(4, `${uuid}:1-10`)];
    expect(proveSuccessor(all, 2)).toMatchObject({ successor: { node: node(3) }, leftOut: [] });
  });

  it('is one that could go on, though others have the same', () => {
    const all = [fenced(2, `${uuid}:1-9`), fenced(3, `${uuid}:1-9`), fenced(4, `${uuid}:1-8`)];
    expect(prove(all, 2, { fit: [node(3), node(4)], required: true }).successor.node).toEqual(node(3));
    expect(() => prove(all, 2, { fit: [node(4)], required: true })).toThrow('no replica');
    expect(prove(all, 2, { fit: [node(4)], required: false }).successor.node).toEqual(node(2));
  });

  it('follows the lost primary rather than nobody, when both have the same', () => {
    const all = [fenced(2, `${uuid}:1-9`, false), fenced(3, `${uuid}:1-9`)];
    expect(proveSuccessor(all, 2).successor.node).toEqual(node(3));
  });

  it('is found beside a former primary with transactions of its own, which acknowledged nothing', () => {
    const former = fenced(2, `${uuid}:1-9,${otherUuid}:5`, false);
    const proof = proveSuccessor([former, fenced(3, `${uuid}:1-12`)], 2);
    expect(proof).toMatchObject({ successor: { node: node(3) }, leftOut: [{ node: node(2) }] });
  });

  it.for<readonly [string, readonly Fenced[], number]>([
    [
      'two replicas of it differ: each may have acknowledged what the other lacks',
      [fenced(2, `${uuid}:1-9:11`), fenced(3, `${uuid}:1-10`)],
      2,
    ],
    [
      'leaving out a former primary does not make up for a replica that does not answer',
      [fenced(2, `${otherUuid}:5`, false), fenced(3, `${uuid}:1-10`)],
      3,
    ],
    ['only former primaries answer', [fenced(2, `${otherUuid}:5`, false), fenced(3, `${uuid}:1`, false)], 2],
  ])('is not proved when %s', ([, all, quorum]) => {
    expect(() => proveSuccessor(all, quorum)).toThrow('no replica has the transactions of all others');
  });
});
