import Type from 'typebox';
import { identifier, text } from '../../core/parameters/fields.ts';

const nodeAddress = {
  maxLength: 270,
  pattern: '^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?_[0-9]{1,5}$',
  patternRule: 'must be the address and the port of a node, as in 192.168.0.2_57001',
};

export const manualSwitchParas = Type.Object({
  cluster_id: identifier({
    description: 'Id of the cluster.',
    codes: { invalid: 70_025 },
  }),
  shard_id: identifier({
    description: 'Id of the shard.',
    codes: { invalid: 70_024 },
  }),
  master_hostaddr: text({
    ...nodeAddress,
    description: 'The present primary, as ip_port: a switchover that was asked for twice happens once.',
    codes: { invalid: 70_026 },
    example: '192.168.0.2_57001',
  }),
  assign_hostaddr: Type.Optional(
    text({
      ...nodeAddress,
      description: 'The node to become the primary, as ip_port. Default: the replica that has received most.',
      codes: { invalid: 70_032 },
      example: '192.168.0.3_57001',
    }),
  ),
});

export type ManualSwitchParas = Type.Static<typeof manualSwitchParas>;

const node = Type.Object({ id: Type.Integer(), hostaddr: Type.String(), port: Type.Integer() });

/** Decided once, under the locks of the job. */
export const manualSwitchPrepared = Type.Object({
  shardId: Type.Integer(),
  shardName: Type.String(),
  old: node,
  target: node,
});

export type ManualSwitchPrepared = Type.Static<typeof manualSwitchPrepared>;
