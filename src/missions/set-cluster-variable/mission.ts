import { Check } from 'typebox/value';
import { defineMission } from '../../jobs/mission.ts';
import type { Services } from '../../jobs/services.ts';
import { admitChange } from '../topology/admit-change.ts';
import { setClusterVariableParas, setClusterVariablePrepared } from './parameters.ts';
import { setClusterVariablePlan } from './plan.ts';
import { prepareSetClusterVariable, setClusterVariableRules } from './prepare.ts';

export const setClusterVariable = defineMission<Services>()({
  jobType: 'set_cluster_variable',
  aliases: ['set_variables'],
  summary:
    'Set a variable on every storage node or compute node of a cluster, with a rolling restart where it needs one',
  paras: setClusterVariableParas,
  prepared: setClusterVariablePrepared,
  example: {
    cluster_id: '1',
    machine_type: 'storage',
    variable: 'innodb_log_buffer_size',
    type: 'integer',
    value: '8388608',
  },
  doneText: 'OK',
  admit: (services, paras) => admitChange(services, setClusterVariableRules(paras)),
  prepare: prepareSetClusterVariable,
  plan: setClusterVariablePlan,
  attachment({ prepared }) {
    if (!Check(setClusterVariablePrepared, prepared)) return null;
    return { cluster_id: String(prepared.clusterId), restart: prepared.needsRestart ? '1' : '0' };
  },
});
