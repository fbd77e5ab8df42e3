import Type from 'typebox';
import type { Catalog } from '../../catalog/catalog.ts';
import type { NoSwitchScope } from '../../catalog/noswitch.ts';
import type { Sql } from '../../catalog/sql.ts';
import { violationsError } from '../../core/errors/kluster-error.ts';
import { integer, text } from '../../core/parameters/fields.ts';
import { requireCluster, requireShard } from '../shard-parameters.ts';

const clusterOrAll = text({
  description: 'Id of the cluster, or `all`.',
  maxLength: 10,
  pattern: '^([Aa][Ll][Ll]|[1-9][0-9]{0,9})$',
  patternRule: 'must be the id of a cluster, or all',
  codes: { invalid: 70_025 },
  example: '1',
});

export const scopeParas = {
  cluster_id: clusterOrAll,
  shard_id: Type.Optional(
    integer({
      description: 'Id of one shard of the cluster. Default: all of its shards.',
      minimum: 1,
      maximum: 4_294_967_295,
      codes: { invalid: 70_024 },
      example: '1',
    }),
  ),
};

interface ScopeParas {
  readonly cluster_id: string;
  readonly shard_id?: number | undefined;
}

/** What the parameters name. @throws KlusterError invalid_parameters when it does not exist */
export async function readScope(catalog: Catalog, sql: Sql, paras: ScopeParas): Promise<NoSwitchScope> {
  const { cluster_id: cluster, shard_id: shard } = paras;
  if (cluster.toLowerCase() === 'all') {
    if (shard === undefined) return { clusterId: null, shardId: null };
    throw violationsError([
      {
        field: 'paras.shard_id',
        value: String(shard),
        rule: 'must be absent when cluster_id is all',
        code: 70_024,
      },
    ]);
  }
  const found = await requireCluster(catalog, sql, Number(cluster));
  if (shard === undefined) return { clusterId: found.id, shardId: null };
  const { id } = await requireShard(catalog, sql, { cluster: found, id: shard });
  return { clusterId: found.id, shardId: id };
}
