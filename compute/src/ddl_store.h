/*
 * ddl_store.h: what the metadata server keeps for definitions: the lock, the log,
 * intents, and how far every compute node has followed.
 */
#ifndef KLUSTER_DDL_STORE_H
#define KLUSTER_DDL_STORE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "ddl_work.h"

/* Takes the cluster-wide lock DDL; an error when others hold it for too long. Makes the private tables when they are missing. */
extern void kluster_store_lock(void);

/* Makes the private tables when they are missing; not within a MySQL transaction. */
extern void kluster_store_prepare(void);

/* Gives it back; never fails. */
extern void kluster_store_unlock(void);

/* A number that no other transaction of any compute node has. */
extern uint64 kluster_store_new_token(void);

/* The id of the last entry of the log; 0 when it is empty. */
extern uint64 kluster_store_newest(void);

typedef struct KlusterIntent
{
	uint64		id;
	uint64		token;
	uint32		shard;
	char	   *undo;			/* NULL: nothing to take back */
	char	   *guard_database;
	char	   *guard_table;
	char	   *mark;
	char	   *at_commit;		/* NULL: nothing to do after the commit */
	bool		committed;		/* the log has entries of the token */
} KlusterIntent;

/* Stores an intent; its id. */
extern uint64 kluster_store_intent(const KlusterIntent *intent);
/* A statement for kluster_store_append() that changes what the intent has to do after the commit. */
extern char *kluster_store_put_off_text(uint64 id, const char *at_commit);
extern void kluster_store_forget_intent(uint64 id);

/* All intents of this cluster, oldest first. */
extern List *kluster_store_intents(void);

/*
 * Appends to the log, and deletes the intents of the token that have nothing
 * to do after the commit, and executes `statements`, in a MySQL transaction that stays
 * open. `seen` is the last entry that this node has. The id of the last entry.
 */
extern uint64 kluster_store_append(uint64 token, uint64 seen, List *entries, List *statements);

/* Does the log have entries of the token? */
extern bool kluster_store_has(uint64 token);

typedef struct KlusterLoggedEntry
{
	uint64		id;
	uint64		token;
	uint32		initiator;
	uint32		shard;
	char	   *database;
	char	   *role;
	char	   *search_path;
	char	   *operation;
	char	   *source;
} KlusterLoggedEntry;

/* Entries after `after`, in order, at most `limit`; only of that database unless NULL. */
extern List *kluster_store_entries(uint64 after, uint64 up_to, const char *database, int limit);

/* Tells the others how far this node is. */
extern void kluster_store_report(uint64 applied);

/* The names of compute nodes that are alive and have not applied `id`, joined by commas; NULL: none. */
extern char *kluster_store_behind(uint64 id);

/* Removes the database's schemas `d_$$_*` everywhere: their names at a shard. */
extern List *kluster_store_databases_like(uint32 shard, const char *prefix);

#endif
