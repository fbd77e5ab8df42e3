/*
 * topology.h: where the shards of the cluster are.
 *
 * The manager stores the topology with one call of kluster.set_topology() in
 * database `postgres`. It is published in shared memory, so a backend of any
 * database sees a change before its next statement for the price of one read.
 */
#ifndef KLUSTER_TOPOLOGY_H
#define KLUSTER_TOPOLOGY_H

#include "postgres.h"

typedef struct KlusterNode
{
	uint32		id;
	char	   *host;
	uint16		port;
	bool		primary;
} KlusterNode;

typedef struct KlusterShard
{
	uint32		id;
	char	   *name;
	int			node_count;
	KlusterNode *nodes;
	KlusterNode *primary;		/* NULL: nobody, at the moment */
} KlusterShard;

/* A compute node of the cluster. */
typedef struct KlusterComp
{
	uint32		id;
	char	   *name;
	char	   *host;
	uint16		port;
} KlusterComp;

typedef struct KlusterTopology
{
	uint64		generation;
	uint32		cluster_id;
	char	   *cluster_name;
	uint32		comp_id;		/* this compute node */
	char	   *comp_name;

	/* The account for the shards. */
	char	   *user;
	char	   *password;

	/* The metadata server; host is NULL when the cluster has none. */
	char	   *metadata_host;
	uint16		metadata_port;
	char	   *metadata_user;
	char	   *metadata_password;
	char	   *metadata_database;

	int			shard_count;
	KlusterShard *shards;		/* ordered by id */
	int			comp_count;
	KlusterComp *comps;
} KlusterTopology;

/*
 * The topology as published now. Valid until the next call: do not keep
 * pointers into it. Waits for the loading worker while the server starts;
 * raises an error when no topology was ever set.
 */
extern const KlusterTopology *kluster_topology(void);

/* The same, but NULL instead of an error when there is none. */
extern const KlusterTopology *kluster_topology_if_set(void);

/* The shard of that id, or NULL. */
extern const KlusterShard *kluster_find_shard(const KlusterTopology *topology, uint32 id);

/*
 * A number that grows with every publication: whoever keeps something made from
 * the topology compares it, which costs one read of shared memory.
 */
extern uint64 kluster_topology_version(void);

/* Waits until the version differs from `seen`, at most so many milliseconds; true when it does. */
extern bool kluster_await_topology(uint64 seen, long milliseconds);

/* Asks for shared memory and starts the loading worker; called once, while the module is loaded. */
extern void kluster_topology_init(void);

#endif
