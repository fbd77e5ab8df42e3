import Type from 'typebox';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';

export const getMetaMode = defineImmediateJob<Services>()({
  jobType: 'get_meta_mode',
  aliases: [],
  summary: 'Tell the replication mode of the metadata cluster',
  paras: Type.Object({}),
  example: {},
  changes: false,
  async answer({ catalog }, _paras, signal) {
    return { mode: await catalog.database.read((sql) => catalog.metadataNodes.mode(sql), signal) };
  },
});
