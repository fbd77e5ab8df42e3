import Type from 'typebox';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { agentReports } from './agent-reports.ts';

/** A machine is online when its agent answers. */
export const getMachineSummary = defineImmediateJob<Services>()({
  jobType: 'get_machine_summary',
  aliases: [],
  summary: 'List the machines and whether their agents answer',
  paras: Type.Object({}),
  example: {},
  changes: false,
  async answer(services, _paras, signal) {
    const { catalog } = services;
    const machines = await catalog.database.read((sql) => catalog.machines.list(sql), signal);
    const reports = await agentReports(services, machines, signal);
    return {
      list_machine: [...reports].map(([hostaddr, report]) => ({
        hostaddr,
        status: report === undefined ? 'offline' : 'online',
      })),
    };
  },
});
