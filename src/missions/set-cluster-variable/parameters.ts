import Type from 'typebox';
import { choice, identifier, text } from '../../core/parameters/fields.ts';
import { manualSwitchPrepared } from '../manual-switch/parameters.ts';

const codes = { missing: 70_101, invalid: 70_102 };

/** `paras` of set_cluster_variable. */
export const setClusterVariableParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes,
  }),
  machine_type: choice(['storage', 'computer'], {
    description: 'storage: a system variable of the storage nodes; computer: a setting of the compute nodes.',
    codes,
    example: 'storage',
  }),
  shard_id: Type.Optional(
    identifier({
      description: 'Id of the shard whose storage nodes are meant. Default: every shard.',
      codes,
    }),
  ),
  variable: text({
    description: 'Name of the system variable or setting.',
    maxLength: 128,
    pattern: '^[A-Za-z_][A-Za-z0-9_.$]*$',
    patternRule: 'must be a name of letters, digits, _, . and $',
    codes,
    example: 'innodb_log_buffer_size',
  }),
  value: text({ description: 'The new value.', minLength: 0, maxLength: 65_535, codes, example: '8388608' }),
  type: Type.Optional(
    choice(['integer', 'int', 'string'], {
      description: 'Type of the value. Default: that of the variable.',
      codes,
      example: 'integer',
    }),
  ),
});

export type SetClusterVariableParas = Type.Static<typeof setClusterVariableParas>;

/** A variable of one node before the change. */
const formerVariable = Type.Object({
  /** What later starts would have had; null: nobody had set it. */
  persisted: Type.Union([Type.String(), Type.Null()]),
  value: Type.String(),
});
export type FormerVariable = Type.Static<typeof formerVariable>;

const settableNode = Type.Object({
  nodeId: Type.Integer(),
  instanceId: Type.String(),
  hostaddr: Type.String(),
  port: Type.Integer(),
  agentPort: Type.Integer(),
  before: formerVariable,
});
export type SettableNode = Type.Static<typeof settableNode>;

/** What set_cluster_variable decides once. */
export const setClusterVariablePrepared = Type.Object({
  clusterId: Type.Integer(),
  clusterName: Type.String(),
  engine: Type.Union([Type.Literal('mysql'), Type.Literal('postgres')]),
  /** In lower case. */
  variable: Type.String(),
  needsRestart: Type.Boolean(),
  /** Nodes of one group are changed one after the other, in this order: the primary last. */
  groups: Type.Array(
    Type.Object({
      name: Type.String(),
      shardId: Type.Union([Type.Integer(), Type.Null()]),
      nodes: Type.Array(settableNode),
      /** Before the last one is restarted. */
      handOver: Type.Union([manualSwitchPrepared, Type.Null()]),
    }),
  ),
});

export type SetClusterVariablePrepared = Type.Static<typeof setClusterVariablePrepared>;
