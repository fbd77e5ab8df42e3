/**
 * The one catalogue of errors. `code` is the number on the wire (70000 + n, as the published API numbers them);
 * several entries may share a number, because the API does. `status` is the HTTP status of the REST interface
 * (`/HttpService/Emit` always answers 200). `meaning` says what happened in general; the error's own message says
 * what, where and why; `hint` says what to do.
 */
export interface ErrorEntry {
  readonly code: number;
  readonly status: number;
  readonly meaning: string;
  readonly hint: string;
}

export const errorCatalogue = {
  bad_request: {
    code: 70001,
    status: 400,
    meaning: 'The request cannot be understood.',
    hint: 'Send a JSON object with job_type and paras, as the API document describes.',
  },
  body_too_large: {
    code: 70001,
    status: 413,
    meaning: 'The request body is larger than the server accepts.',
    hint: 'Send a smaller request; the limit is 1 MiB.',
  },
  unknown_job_type: {
    code: 70001,
    status: 404,
    meaning: 'The job type does not exist.',
    hint: 'See /api/openapi.json for the job types this server knows.',
  },
  not_built: {
    code: 70001,
    status: 501,
    meaning: 'The job type is documented, but this version does not have it yet.',
    hint: 'See docs/api.md for the job types that this version has.',
  },
  no_such_resource: {
    code: 70001,
    status: 404,
    meaning: 'The server has nothing at this path.',
    hint: 'See /api/openapi.json for what it has.',
  },
  unauthorized: {
    code: 70001,
    status: 401,
    meaning: 'The request carries no valid credentials.',
    hint: 'Send the header "Authorization: Bearer <token>" with a token from the configuration.',
  },
  forbidden_origin: {
    code: 70001,
    status: 403,
    meaning: 'A web page of another origin may not use this server.',
    hint: 'Call the API from a program, or from a page that this server delivers.',
  },
  configuration: {
    code: 70001,
    status: 500,
    meaning: 'A configuration file or directory breaks a rule.',
    hint: 'Correct what the message names.',
  },
  invalid_parameters: {
    code: 70005,
    status: 422,
    meaning: 'One or more parameters break a rule.',
    hint: 'Correct every parameter named in the message and send the request again; nothing was changed.',
  },
  job_not_found: {
    code: 70001,
    status: 404,
    meaning: 'There is no job with this id.',
    hint: 'List the jobs with GET /api/v1/jobs or `kluster job list`.',
  },
  job_not_cancellable: {
    code: 70001,
    status: 409,
    meaning: 'The job has ended, or is past the point from which it only goes forward.',
    hint: 'Wait for the job to end.',
  },
  job_not_retryable: {
    code: 70001,
    status: 409,
    meaning: 'Only a failed job can be submitted again.',
    hint: 'Wait for the job to end, or submit a new request.',
  },
  idempotency_conflict: {
    code: 70001,
    status: 409,
    meaning: 'The Idempotency-Key was used before with a different request.',
    hint: 'Use a new key for a new request.',
  },
  job_cancelled: {
    code: 70001,
    status: 409,
    meaning: 'The job was cancelled and everything it had made was removed.',
    hint: 'Submit the request again when it is wanted after all.',
  },
  step_deadline: {
    code: 70002,
    status: 504,
    meaning: 'A step did not end before its deadline.',
    hint: 'Look at the reason of the step and at the log of the machine named in it, then retry the job.',
  },
  internal: {
    code: 70001,
    status: 500,
    meaning: 'The server met a fault of its own.',
    hint: 'See the manager log; report it with the log lines around this moment.',
  },
  not_leader: {
    code: 70001,
    status: 503,
    meaning: 'This manager is not the leader (any more).',
    hint: 'Find the leader in the metadata table cluster_mgr_nodes (member_state source) and ask it.',
  },
  stale_epoch: {
    code: 70001,
    status: 409,
    meaning: 'The caller acts for a manager whose term of office has ended.',
    hint: 'Nothing to do: the new leader continues the work.',
  },
  agent_unreachable: {
    code: 70003,
    status: 503,
    meaning: 'The agent of a machine does not answer.',
    hint: 'Start `kluster agent` on that machine, and check address, port and network.',
  },
  agent_refused: {
    code: 70002,
    status: 502,
    meaning: 'The agent of a machine refused or failed a request.',
    hint: 'Read the reason in the message and the agent log on that machine.',
  },
  port_busy: {
    code: 70002,
    status: 409,
    meaning: 'A port is already taken on the machine.',
    hint: 'The manager tries another port by itself; free the port when this repeats.',
  },
  instance_not_found: {
    code: 70002,
    status: 404,
    meaning: 'The machine has no such instance.',
    hint: 'List the instances of the machine with `kluster status`.',
  },
  instance_conflict: {
    code: 70002,
    status: 409,
    meaning: 'An instance with this name exists with a different specification.',
    hint: 'Remove the old instance first.',
  },
  instance_start_failed: {
    code: 70002,
    status: 500,
    meaning: 'An engine process ended or did not become ready after its start.',
    hint: 'Read the log file named in the message.',
  },
  engine_missing: {
    code: 70002,
    status: 503,
    meaning: 'A machine has no usable MySQL or PostgreSQL installation.',
    hint: 'Run `npm run setup` on that machine, or name the directory of an installation in the agent configuration.',
  },
  cgroup_unavailable: {
    code: 70002,
    status: 503,
    meaning: 'The machine offers no writable cpu cgroup.',
    hint: 'Run the agent as root on a kernel with the cgroup cpu controller, or omit cpu_cores.',
  },
  engine_sql: {
    code: 70002,
    status: 502,
    meaning: 'A database server refused a statement or could not be reached.',
    hint: 'Read the server error in the message.',
  },
  metadata: {
    code: 70046,
    status: 503,
    meaning: 'The metadata database cannot be read or written.',
    hint: 'Check that the metadata server runs (`kluster status`) and its log.',
  },
  machine_exists: {
    code: 70062,
    status: 409,
    meaning: 'The machine is already registered with this type.',
    hint: 'Change it with update_machine, or delete it first.',
  },
  machine_not_found: {
    code: 70066,
    status: 404,
    meaning: 'The machine is not registered with this type.',
    hint: 'List the machines with `kluster machine list`.',
  },
  machine_in_use: {
    code: 70064,
    status: 409,
    meaning: 'Instances of clusters live on the machine.',
    hint: 'Delete or move the nodes named in the message first.',
  },
  agent_no_answer: {
    code: 70158,
    status: 503,
    meaning: 'No agent answers at the address of the machine.',
    hint: 'Start `kluster agent` on that machine, and check address, port and network.',
  },
  cluster_not_found: {
    code: 70503,
    status: 404,
    meaning: 'There is no such cluster.',
    hint: 'List the clusters with `kluster cluster list`.',
  },
  shard_not_found: {
    code: 70504,
    status: 404,
    meaning: 'There is no such shard.',
    hint: 'List the shards with `kluster status`.',
  },
  storage_node_unsuited: {
    code: 70041,
    status: 409,
    meaning: 'The storage node is not what the job needs: not in the shard, or its primary.',
    hint: 'Look at the roles of the nodes with `kluster status`, and send the request again.',
  },
  no_clone_source: {
    code: 70042,
    status: 409,
    meaning: 'No node of the shard can be cloned from.',
    hint: 'Raise allow_replica_delay, or allow the primary with allow_pull_from_master 1.',
  },
  transactions_not_saved: {
    code: 70041,
    status: 409,
    meaning: 'A node has transactions that its primary lacks, and they could not be saved before a rebuild.',
    hint: 'Look at the node; send the request again with discard_unsaved 1 to give those transactions up.',
  },
  not_enough_storage_machines: {
    code: 70091,
    status: 409,
    meaning: 'The running storage machines cannot take the nodes asked for.',
    hint: 'Register more machines, free capacity, or widen the port ranges; the message says what is missing where.',
  },
  not_enough_computer_machines: {
    code: 70092,
    status: 409,
    meaning: 'The running computer machines cannot take the compute nodes asked for.',
    hint: 'Register more machines, free capacity, or widen the port ranges; the message says what is missing where.',
  },
  storage_install_failed: {
    code: 70093,
    status: 500,
    meaning: 'A storage node or the replication of a shard could not be set up.',
    hint: 'Read the reason of the failed step, remove the cause, retry the job.',
  },
  computer_install_failed: {
    code: 70094,
    status: 500,
    meaning: 'A compute node could not be set up.',
    hint: 'Read the reason of the failed step, remove the cause, retry the job.',
  },
  variable_read: {
    code: 70108,
    status: 422,
    meaning: 'The variable cannot be read.',
    hint: 'Check address, port and the name of the variable.',
  },
  variable_write: {
    code: 70109,
    status: 422,
    meaning: 'The variable cannot be set.',
    hint: 'Check address, port, name and value of the variable.',
  },
  instance_address_unknown: {
    code: 70512,
    status: 404,
    meaning: 'No node of a cluster has this address and port.',
    hint: 'List the nodes with `kluster status`.',
  },
  switchover_refused: {
    code: 70188,
    status: 409,
    meaning: 'The primary of the shard cannot be moved as asked; it stays where it is.',
    hint: 'Read the reason in the message; `kluster status` shows the nodes of the shard.',
  },
  manager_unreachable: {
    code: 70001,
    status: 503,
    meaning: 'No manager answers at the address.',
    hint: 'Start it with `kluster up` or `kluster manager`, or name another one with --url.',
  },
  usage: {
    code: 70001,
    status: 400,
    meaning: 'The command line breaks a rule.',
    hint: 'Run the command with --help.',
  },
  interrupted: {
    code: 70001,
    status: 500,
    meaning: 'The user interrupted the command.',
    hint: 'Run the command again to continue; jobs that were submitted go on.',
  },
  server_start_failed: {
    code: 70001,
    status: 500,
    meaning: 'A server of this installation did not start.',
    hint: 'Read the lines of its log in the message, remove the cause, and run `kluster up` again.',
  },
  already_running: {
    code: 70001,
    status: 409,
    meaning: 'The server of this installation runs already.',
    hint: 'Use it, or stop it first with `kluster down`; another KLUSTER_HOME is another installation.',
  },
  shard_holds_tables: {
    code: 70504,
    status: 409,
    meaning: 'The shard still holds tables.',
    hint: 'Move the tables named in the message to other shards, or drop them, then delete the shard.',
  },
  nick_name_exists: {
    code: 70501,
    status: 409,
    meaning: 'Another cluster has this nick name.',
    hint: 'Choose a nick name that no cluster has (`kluster cluster list`).',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorName = keyof typeof errorCatalogue;
