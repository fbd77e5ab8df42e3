import Type from 'typebox';

/** What a cluster was made with, as its memo tells; nodes that are added later get the same. */
export const clusterSettingsSchema = Type.Object({
  dbcfg: Type.Boolean(),
  cpu_limit_mode: Type.Union([Type.Literal('quota'), Type.Literal('share')]),
  innodb_size: Type.Optional(Type.Integer()),
  max_connections: Type.Optional(Type.Integer()),
  cpu_cores: Type.Optional(Type.Integer()),
  data_storage_MB: Type.Optional(Type.Integer()),
  log_storage_MB: Type.Optional(Type.Integer()),
  max_storage_size: Type.Optional(Type.Integer()),
  /** Acknowledgements per commit; absent without replication. */
  fullsync_level: Type.Optional(Type.Integer()),
});

export type ClusterSettings = Type.Static<typeof clusterSettingsSchema>;

const numbers = [
  'innodb_size',
  'max_connections',
  'cpu_cores',
  'data_storage_MB',
  'log_storage_MB',
  'max_storage_size',
  'fullsync_level',
] as const satisfies readonly (keyof ClusterSettings)[];

export function clusterSettings(memo: Readonly<Record<string, string>>): ClusterSettings {
  const known = numbers.flatMap((key) => {
    const text = memo[key] ?? '';
    return /^\d{1,15}$/.test(text) ? [[key, Number(text)] as const] : [];
  });
  return {
    dbcfg: memo['dbcfg'] === '1',
    cpu_limit_mode: memo['cpu_limit_mode'] === 'share' ? 'share' : 'quota',
    ...(Object.fromEntries(known) satisfies Partial<Record<string, number>>),
  };
}
