import type { ImmediateJob } from '../jobs/immediate.ts';
import type { AnyMission } from '../jobs/mission.ts';
import type { Services } from '../jobs/services.ts';
import { addComps } from '../missions/add-comps/mission.ts';
import { addShards } from '../missions/add-shards/mission.ts';
import { controlInstance } from '../missions/control-instance/mission.ts';
import { createCluster } from '../missions/create-cluster/mission.ts';
import { createMachine } from '../missions/create-machine.ts';
import { deleteCluster } from '../missions/delete-cluster/mission.ts';
import { deleteComp } from '../missions/delete-comp/mission.ts';
import { deleteMachine } from '../missions/delete-machine.ts';
import { deleteShard } from '../missions/delete-shard/mission.ts';
import { manualSwitch } from '../missions/manual-switch/mission.ts';
import { delNoswitch } from '../missions/noswitch/del-noswitch.ts';
import { setNoswitch } from '../missions/noswitch/set-noswitch.ts';
import { rebuildNode } from '../missions/rebuild-node/mission.ts';
import { addNodes } from '../missions/add-nodes/mission.ts';
import { deleteNode } from '../missions/delete-node/mission.ts';
import { renameCluster } from '../missions/rename-cluster.ts';
import { setClusterVariable } from '../missions/set-cluster-variable/mission.ts';
import { setMachine } from '../missions/set-machine.ts';
import { setVariable } from '../missions/set-variable.ts';
import { updateInstanceCgroup } from '../missions/update-instance-cgroup.ts';
import { updateMachine } from '../missions/update-machine.ts';
import { updateShardDegradeConf } from '../missions/update-shard-degrade-conf.ts';
import { queries } from '../queries/all.ts';

/** Every job type of this version; API, OpenAPI and command line derive from these two lists. */
export const missions: readonly AnyMission<Services>[] = [
  createMachine,
  updateMachine,
  deleteMachine,
  setMachine,
  createCluster,
  deleteCluster,
  addNodes,
  deleteNode,
  manualSwitch,
  rebuildNode,
  setClusterVariable,
  addShards,
  addComps,
  deleteShard,
  deleteComp,
  updateInstanceCgroup,
  controlInstance,
];

export const immediateJobs: readonly ImmediateJob<Services>[] = [
  ...queries,
  renameCluster,
  setVariable,
  updateShardDegradeConf,
  setNoswitch,
  delNoswitch,
];
