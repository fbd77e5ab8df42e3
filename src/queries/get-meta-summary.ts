import Type from 'typebox';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { isListening } from './reachable.ts';

export const getMetaSummary = defineImmediateJob<Services>()({
  jobType: 'get_meta_summary',
  aliases: [],
  summary: 'List the metadata nodes',
  paras: Type.Object({}),
  example: {},
  changes: false,
  async answer({ catalog }, _paras, signal) {
    const nodes = await catalog.database.read((sql) => catalog.metadataNodes.list(sql), signal);
    const rows = nodes.map(async (node) => ({
      hostaddr: node.hostaddr,
      port: String(node.port),
      master: node.memberState === 'source' ? 'true' : 'false',
      status: (await isListening(node, signal)) ? 'online' : 'offline',
    }));
    return { list_meta: await Promise.all(rows) };
  },
});
