import { describe, expect, it } from 'vitest';
import { compare, persistent } from '../../../src/queries/doctor/compare.ts';
import { finding } from '../../../src/queries/doctor/findings.ts';
import {
  catalog,
  job,
  other,
  reported,
  status,
  withAgent,
  withCatalog,
  withInstances,
  withNode,
} from './changed-facts.ts';
import { cases } from './doctor-cases.ts';
import { healthyFacts, view } from './healthy-facts.ts';

describe('the doctor', () => {
  it('finds nothing where nothing differs', () => {
    expect(compare(healthyFacts)).toEqual({ findings: [], unseen: [] });
  });

  it.each(cases)('names %s', (_case, facts, what, where) => {
    const { findings } = compare(facts);
    expect(findings.map((found) => [found.what, found.where])).toEqual([[what, where]]);
    expect(findings[0]?.why).not.toBe('');
    expect(findings[0]?.to_do).not.toBe('');
  });

  it('names every node when two are primaries', () => {
    const { findings } = compare(withNode(1, { node: { memberState: 'source' } }));
    expect(findings.map(({ what }) => what)).toContain('roles');
  });

  it('tells what it could not see', () => {
    const facts = withAgent(1, () => ({ answer: null, failure: 'connection refused' }));
    expect(compare(facts)).toEqual({
      findings: [],
      unseen: [{ where: 'machine 10.0.0.2', why: 'connection refused' }],
    });
  });

  it('lets a stopped node be, unless it runs', () => {
    const stopped = withNode(1, { ...status('manual_stop'), answer: null });
    const off = reported(1).map(
      (one) => ({ ...one, pid: null, state: 'stopped', desired: 'stopped' }) as const,
    );
    const agents = withInstances(1, off).agents;
    expect(compare({ ...stopped, agents }).findings).toEqual([]);
    const running = compare(withNode(1, status('manual_stop'))).findings;
    expect(new Set(running.map(({ what }) => what))).toEqual(new Set(['instance_running']));
  });

  it('accepts fewer acknowledgements of a shard that is degraded', () => {
    const degraded = withNode(0, { answer: { acknowledgements: 0 } });
    const shards = degraded.shards.map((shard) => ({ ...shard, degraded: true }));
    expect(compare({ ...degraded, shards }).findings).toEqual([]);
  });

  it('leaves alone what a job is changing', () => {
    const changing = { ...withNode(1, status('creating')), agents: withInstances(1, []).agents };
    const facts = { ...changing, catalog: { ...catalog, jobs: [job], logTables: [] } };
    expect(compare(facts).findings).toEqual([]);
  });

  it('leaves alone what create_cluster is making before it has a row', () => {
    const making = withInstances(1, [...reported(1), view(other)]);
    const jobs = [{ ...job, jobType: 'create_cluster', locks: [] }];
    expect(compare({ ...making, catalog: { ...catalog, jobs } }).findings).toEqual([]);
  });

  it('reports what two looks agree on', () => {
    const [a, b] = [finding('route', 'here', 'x'), finding('route', 'there', 'x')];
    expect(persistent([a], [{ ...a, why: 'y' }, b])).toEqual([{ ...a, why: 'y' }]);
  });

  it('follows the primary that a group has elected', () => {
    const [first] = healthyFacts.shards;
    if (first === undefined) throw new Error('no shard');
    const group = first.nodes.map(({ node }, index) => ({
      hostaddr: node.hostaddr,
      port: node.port,
      serverUuid: '',
      state: 'ONLINE' as const,
      primary: index === 1,
    }));
    const nodes = first.nodes.map((observed) => ({
      ...observed,
      answer: observed.answer === null ? null : { ...observed.answer, group, groupState: 'ONLINE' as const },
    }));
    const cluster = { ...first.cluster, haMode: 'mgr' as const };
    const facts = { ...withCatalog({ nodeMap: [] }), shards: [{ ...first, cluster, nodes }] };
    expect(compare(facts).findings.map(({ what, where }) => `${what} ${where}`)).toEqual([
      'roles cluster 7 shard_1 node 10.0.0.1:57001',
      'roles cluster 7 shard_1 node 10.0.0.2:57001',
    ]);
  });
});
