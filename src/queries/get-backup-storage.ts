import Type from 'typebox';
import { textOrNull, type SqlRow } from '../catalog/sql.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';

const parseStorage = (row: SqlRow) => ({
  hostaddr: textOrNull(row, 'hostaddr') ?? '',
  name: textOrNull(row, 'name') ?? '',
  port: textOrNull(row, 'port') ?? '',
  stype: textOrNull(row, 'stype') ?? '',
});

export const getBackupStorage = defineImmediateJob<Services>()({
  jobType: 'get_backup_storage',
  aliases: [],
  summary: 'List the places for backups',
  paras: Type.Object({}),
  example: {},
  changes: false,
  async answer({ catalog }, _paras, signal) {
    const storages = await catalog.database.read(
      (sql) =>
        sql.rows('SELECT hostaddr, name, port, stype FROM backup_storage ORDER BY id', [], parseStorage),
      signal,
    );
    return { list_backup_storage: storages };
  },
});
