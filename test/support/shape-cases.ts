/** Parameters that pass, of the jobs that change the shape of a no_rep cluster; cluster_id aside. */
export const shapeExamples: Readonly<Record<string, Record<string, unknown>>> = {
  add_shards: { shards: '1', nodes: '1' },
  add_comps: { comps: '1' },
  delete_shard: { shard_id: '1' },
  delete_comp: { comp_id: '1' },
};

/** Job type, field, value, wire code, what the error says. */
type ShapeCase = readonly [string, string, unknown, string, RegExp];

/** Values that break a rule. `nowhere` is the address of no machine, `known` that of one. */
export function shapeCases({
  nowhere,
  known,
}: {
  readonly nowhere: string;
  readonly known: string;
}): readonly ShapeCase[] {
  return [
    ['add_shards', 'cluster_id', undefined, '70119', /is missing/],
    ['add_shards', 'cluster_id', '999', '70119', /must be the id of a cluster/],
    ['add_shards', 'cluster_id', '1 OR 1=1', '70119', /whole number/],
    ['add_shards', 'shards', undefined, '70120', /is missing/],
    ['add_shards', 'shards', 'many', '70120', /whole number from 1 to 256/],
    ['add_shards', 'shards', '0', '70121', /from 1/],
    ['add_shards', 'shards', 257, '70121', /to 256/],
    ['add_shards', 'nodes', [], '70122', /whole number/],
    ['add_shards', 'nodes', '300', '70123', /to 256/],
    ['add_shards', 'nodes', '3', '70123', /must be 1 when ha_mode is no_rep/],
    ['add_shards', 'storage_iplists', [nowhere], '70184', /must be a registered storage machine/],
    ['add_shards', 'storage_iplists', [known, known], '70184', /must not repeat/],
    ['add_comps', 'cluster_id', undefined, '70109', /is missing/],
    ['add_comps', 'cluster_id', 999, '70109', /must be the id of a cluster/],
    ['add_comps', 'comps', 'x', '70108', /whole number/],
    ['add_comps', 'comps', '-1', '70110', /from 1/],
    ['add_comps', 'computer_iplists', [nowhere], '70185', /must be a registered computer machine/],
    ['delete_shard', 'cluster_id', undefined, '70139', /is missing/],
    ['delete_shard', 'cluster_id', '999', '70139', /must be the id of a cluster/],
    ['delete_shard', 'shard_id', undefined, '70140', /is missing/],
    ['delete_shard', 'shard_id', '999', '70140', /must be a shard of cluster \d+, which has \d+ \(shard_1\)/],
    ['delete_shard', 'shard_id', {}, '70140', /whole number/],
    ['delete_comp', 'cluster_id', 'x', '70132', /whole number/],
    ['delete_comp', 'cluster_id', '999', '70132', /must be the id of a cluster/],
    ['delete_comp', 'comp_id', undefined, '70133', /is missing/],
    ['delete_comp', 'comp_id', '999', '70133', /must be a compute node of cluster/],
  ];
}
