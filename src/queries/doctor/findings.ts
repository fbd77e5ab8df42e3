/** What may differ, and what an operator does about it. */
const remedies = {
  agent_obeys_another:
    'Stop the manager that should not run: only the one with the newest term of office may give orders.',
  leader_unclear: 'Restart the manager that should lead; it records itself when it takes office.',
  instance_unknown:
    'Nothing in the catalog needs it. When you are sure that its data is not needed, remove it at its agent.',
  instance_missing: 'Rebuild the node, or remove it from its cluster.',
  instance_not_running: 'Read the log of the instance; its agent restarts it, control_instance starts it.',
  disk_full: 'Make room: its server goes on by itself within a minute, or is started then.',
  disk_frozen:
    'Look at the disk and at the kernel log of the machine: its server goes on when the disk does.',
  instance_running: 'The node should be stopped: stop it with control_instance.',
  instance_elsewhere: 'Restart the manager; when the difference stays, rebuild the node.',
  directory_left: 'No instance owns the directory. When you are sure that its data is not needed, delete it.',
  process_left: 'No instance owns the process. End it, then look at its directory.',
  ports_not_reserved: 'Another instance may be given the same ports. Remove and add the node again.',
  ports_left: 'Nobody uses the reservation. It goes with the job that made it: look at that job.',
  ports_not_public:
    'Clients read other ports than the manager uses. Any change of a node on the machine mends it.',
  removal_pending: 'Bring the machine back: the instance is removed as soon as its agent answers.',
  node_unfinished:
    'The job that should have finished the node has ended. The manager makes a replica of an rbr shard again; remove any other.',
  node_not_serving: 'Start the node with control_instance, or rebuild it.',
  node_silent:
    'Look at the server and its log. The manager fails the shard over when it can prove that no write is lost.',
  node_count: 'Clients show a wrong number of nodes. Adding or removing a node of the shard mends it.',
  node_map:
    'Clients are told another primary than the recorded one. The next switch of the primary mends it.',
  roles:
    'Exactly one node of a shard is its primary. Look at the log of the manager before you change anything.',
  second_writer: 'The manager closes it. Look for clients that write to it directly.',
  primary_closed:
    'The manager opens it once enough replicas receive from it. Look at the log of the manager when it does not.',
  acknowledgements: 'The manager sets it. Look at the log of the manager when it does not.',
  replica_not_following:
    'The manager makes it follow. Look at the log of the manager when it does not; or rebuild the node.',
  replica_stopped: 'Read the error; rebuild the node when replication cannot go on.',
  replica_not_acknowledging:
    'Commits wait for acknowledgements that this replica does not give. Rebuild the node.',
  errant_transactions:
    'Compare the transactions with the primary before you rebuild the node: a rebuild deletes them.',
  group_member:
    'The manager joins it again. Look at the log of the manager when it does not; or rebuild the node.',
  account_missing: 'Rebuild the node: its accounts come with the data of the source.',
  route: 'The manager re-routes it within seconds. Look at the log of the manager when it does not.',
  route_unknown:
    'The compute node knows a shard that the cluster does not have: drop the foreign server there.',
  route_dead: 'Read the error; restart the compute node when the shard itself serves.',
  definition_failing:
    'Nothing after it is applied there. Mend what is in its way; or leave it out there with kluster.skip_ddl().',
  role_missing: 'Applications cannot log in. Make the role on the compute node, or remove and add the node.',
  log_table_missing:
    'Compute nodes cannot commit over several shards without it. Restore the table from its template.',
  log_table_left: 'The cluster is gone. Drop the table.',
  log_partition_missing: 'The compute node cannot commit over several shards. Remove it and add it again.',
  log_partition_left:
    'The compute node is gone. Drop the partition after its transactions have been looked at.',
  cluster_rows_left: 'The cluster is gone. Delete the rows.',
  cluster_unfinished: 'The job that should have finished the cluster has ended: delete the cluster.',
  job_stuck: 'Read the reason of its running step; cancel the job when it cannot go on.',
  job_status: 'Clients are told another state than the job has. Restart the manager.',
  lock_left: 'The job has ended and holds a lock: jobs behind it wait for ever. Restart the manager.',
} as const satisfies Record<string, string>;

export type FindingName = keyof typeof remedies;

/** One difference between the catalog and reality. */
export interface Finding {
  readonly what: FindingName;
  /** Machine, cluster, shard or node. */
  readonly where: string;
  /** What the catalog says, and what is. */
  readonly why: string;
  readonly to_do: string;
}

export function finding(what: FindingName, where: string, why: string): Finding {
  return { what, where, why, to_do: remedies[what] };
}

/** Something that could not be looked at, so that nothing is known about it. */
export interface Unseen {
  readonly where: string;
  readonly why: string;
}
