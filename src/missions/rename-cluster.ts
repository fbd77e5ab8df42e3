import Type from 'typebox';
import type { Catalog } from '../catalog/catalog.ts';
import type { Sql } from '../catalog/sql.ts';
import { KlusterError, violationsError } from '../core/errors/kluster-error.ts';
import { clusterId } from '../core/ids.ts';
import type { Cluster } from '../core/model.ts';
import { integer, text } from '../core/parameters/fields.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';

const renameClusterParas = Type.Object({
  cluster_id: Type.Optional(
    integer({
      description: 'Id of the cluster; this or cluster_name is required.',
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      codes: { invalid: 70_503 },
      example: '7',
    }),
  ),
  cluster_name: Type.Optional(
    text({
      description: 'Name of the cluster, as it was generated; this or cluster_id is required.',
      maxLength: 120,
      codes: { invalid: 70_503 },
    }),
  ),
  nick_name: text({
    description: 'The new nick name; no other cluster may have it.',
    maxLength: 120,
    codes: { invalid: 70_501 },
    example: 'orders',
  }),
});

/** Gives a cluster another nick name. Its name, by which everything refers to it, stays. */
export const renameCluster = defineImmediateJob<Services>()({
  jobType: 'rename_cluster',
  aliases: [],
  summary: 'Give a cluster another nick name',
  paras: renameClusterParas,
  example: { cluster_id: '7', nick_name: 'orders' },
  changes: true,
  async answer({ catalog }, paras, signal) {
    if (paras.cluster_id === undefined && paras.cluster_name === undefined) {
      throw violationsError([
        {
          field: 'paras.cluster_id',
          value: undefined,
          rule: 'this parameter or cluster_name is required',
          code: 70_503,
        },
      ]);
    }
    await catalog.database.write(async (sql) => {
      const cluster = await findCluster(catalog, sql, paras);
      const namesakes = await catalog.clusters.findByNickName(sql, paras.nick_name);
      const other = namesakes.find(({ id }) => id !== cluster.id);
      if (other !== undefined) {
        throw new KlusterError(
          'nick_name_exists',
          `cluster ${other.name} (${String(other.id)}) has the nick name ${paras.nick_name} already`,
        );
      }
      await catalog.clusters.rename(sql, cluster.id, paras.nick_name);
    }, signal);
    return {};
  },
});

/** @throws KlusterError cluster_not_found, also when id and name are those of different clusters */
async function findCluster(
  catalog: Catalog,
  sql: Sql,
  { cluster_id: id, cluster_name: name }: Type.Static<typeof renameClusterParas>,
): Promise<Cluster> {
  const found =
    id === undefined
      ? await catalog.clusters.findByName(sql, name ?? '')
      : await catalog.clusters.find(sql, clusterId(id));
  if (found !== undefined && (name === undefined || name === found.name)) return found;
  const wanted = [
    ...(id === undefined ? [] : [`id ${String(id)}`]),
    ...(name === undefined ? [] : [`name ${name}`]),
  ].join(' and ');
  throw new KlusterError('cluster_not_found', `there is no cluster with ${wanted}`);
}
