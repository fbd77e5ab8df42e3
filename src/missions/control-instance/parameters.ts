import Type from 'typebox';
import { choice, hostAddress, port } from '../../core/parameters/fields.ts';
import { manualSwitchPrepared } from '../manual-switch/parameters.ts';

const codes = { missing: 70_101, invalid: 70_102 };

export const controlInstanceParas = Type.Object({
  hostaddr: hostAddress({ description: 'Address of the instance.', codes, example: '192.168.0.2' }),
  port: port({ description: 'Port of the instance.', codes, example: '57001' }),
  control: choice(['start', 'stop', 'restart'], {
    description:
      'A stopped instance stays stopped until it is started. The primary of a shard with replicas hands over to one of them first.',
    codes,
    example: 'restart',
  }),
  machine_type: Type.Optional(
    choice(['storage', 'computer'], {
      description: 'Refused when the instance is of the other type. Default: whichever it is.',
      codes,
    }),
  ),
});

export type ControlInstanceParas = Type.Static<typeof controlInstanceParas>;

export const controlInstancePrepared = Type.Object({
  instanceId: Type.String(),
  hostaddr: Type.String(),
  port: Type.Integer(),
  agentPort: Type.Integer(),
  /** Null: a compute node. */
  shardId: Type.Union([Type.Integer(), Type.Null()]),
  /**
   * Whether its process is killed instead of ended in order. An rbr primary that shuts down in order stops waiting for
   * acknowledgements and tells clients that their commits succeeded, which no other node has then.
   */
  killed: Type.Boolean(),
  /** What to do before it is taken down, when it is the primary of a shard that can do without it. */
  handOver: Type.Union([manualSwitchPrepared, Type.Null()]),
});

export type ControlInstancePrepared = Type.Static<typeof controlInstancePrepared>;
