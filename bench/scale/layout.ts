import { shardId, type ShardId } from '../../src/core/ids.ts';
import type { HostPort } from '../../src/core/model.ts';

/**
 * Where the simulated nodes are: machines are loopback addresses, the nodes of a shard lie on different ones. The
 * simulator listens on all addresses at once, so the ports are below those that Linux gives to clients (from 32768).
 */
export const nodesPerAgent = 10;
export const agentPort = 26_002;
export const firstSqlPort = 26_101;
export const lastSqlPort = firstSqlPort + nodesPerAgent - 1;
const nodesPerShard = 3;
const shardsPerCluster = 10;
const machinesPerSubnet = 250;

export interface NodePlace extends HostPort {
  /** From 0; the n-th node of the layout. */
  readonly node: number;
  readonly agent: number;
  readonly instanceId: string;
  readonly shard: ShardId;
  /** Number of the cluster and of the shard within it, from 1. */
  readonly cluster: number;
  readonly shardNumber: number;
  readonly isSource: boolean;
}

export class Layout {
  readonly agents: number;
  readonly nodes: number;
  readonly shards: number;
  readonly clusters: number;

  constructor(agents: number) {
    this.agents = agents;
    this.nodes = agents * nodesPerAgent;
    // What is left over is a fourth node of the last shard.
    this.shards = Math.floor(this.nodes / nodesPerShard);
    this.clusters = Math.ceil(this.shards / shardsPerCluster);
  }

  addressOf(agent: number): string {
    const subnet = Math.floor(agent / machinesPerSubnet);
    return `127.60.${String(subnet)}.${String(1 + (agent % machinesPerSubnet))}`;
  }

  node(node: number): NodePlace {
    const agent = node % this.agents;
    const shard = this.#shardOf(node);
    return {
      node,
      agent,
      instanceId: `simulated-${String(node)}`,
      hostaddr: this.addressOf(agent),
      port: firstSqlPort + Math.floor(node / this.agents),
      shard: shardId(shard + 1),
      cluster: 1 + Math.floor(shard / shardsPerCluster),
      shardNumber: 1 + (shard % shardsPerCluster),
      isSource: node === shard * nodesPerShard,
    };
  }

  sourceOf(node: number): NodePlace {
    return this.node(this.#shardOf(node) * nodesPerShard);
  }

  /** A replica of each of so many shards, spread over all. */
  someReplicas(count: number): readonly NodePlace[] {
    const step = this.shards / count;
    return Array.from({ length: count }, (_, index) =>
      this.node(Math.floor(index * step) * nodesPerShard + 1),
    );
  }

  nodesOf(agent: number): readonly NodePlace[] {
    return Array.from({ length: nodesPerAgent }, (_, slot) => this.node(slot * this.agents + agent));
  }

  all(): readonly NodePlace[] {
    return Array.from({ length: this.nodes }, (_, node) => this.node(node));
  }

  #shardOf(node: number): number {
    return Math.min(Math.floor(node / nodesPerShard), this.shards - 1);
  }
}
