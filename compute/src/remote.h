/*
 * remote.h: what connection.c, statement.c and transaction.c share about one
 * connection. Users of connections include connection.h.
 */
#ifndef KLUSTER_REMOTE_H
#define KLUSTER_REMOTE_H

#include "connection.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "storage/latch.h"

typedef enum KlusterPurpose
{
	KLUSTER_DATA,				/* a shard, under the transaction of this backend */
	KLUSTER_DDL,				/* a shard, each statement on its own */
	KLUSTER_METADATA,			/* the metadata server */
	KLUSTER_ANY					/* some server that is not in the topology (yet) */
} KlusterPurpose;

/* How often a wait looks, without having been told, whether the server is still the one to wait for. */
#define KLUSTER_LOOK_MILLISECONDS 500

/* The group of the shard is moving its primary, and refuses all statements meanwhile; the client library has no name for it. */
#define KLUSTER_GROUP_MOVES 4094

/* Room for the name of a global transaction: "<comp id>-<timestamp>-<local id>". */
#define KLUSTER_XID_ROOM 40

/* How far the end of a branch has come. */
typedef enum KlusterPrepared
{
	KLUSTER_NOT_PREPARED,
	KLUSTER_ENDING,				/* a one-phase commit was sent */
	KLUSTER_PREPARING,			/* XA PREPARE was sent */
	KLUSTER_PREPARED
} KlusterPrepared;

struct KlusterConnection
{
	/* Key of the cache: must come first. */
	struct
	{
		KlusterPurpose purpose;
		uint32		shard;		/* 0 for the metadata server */
	}			key;

	/* Where it leads, for messages: "shard shard_1 (id 1) at 10.0.0.1:57000". */
	char	   *label;
	char	   *host;
	uint16		port;
	char	   *user;
	char	   *password;

	MYSQL	   *mysql;			/* NULL: not connected */
	WaitEventSet *wait_set;		/* the latch and the socket; NULL: none yet */
	pgsocket	wait_socket;	/* the socket in wait_set */
	int			wait_events;	/* what wait_set waits for at the socket */
	uint64		version;		/* of the topology when it was last compared */
	bool		given_up;		/* dropped because the server was replaced, and did not answer */

	/*
	 * The operation in progress. The client library keeps it suspended between
	 * waits; `waits` are the MYSQL_WAIT_* it needs, 0 when nothing is suspended.
	 */
	int			waits;
	bool		sending;		/* suspended before the statement was sent completely */
	bool		in_next;		/* suspended between two answers of one reply */
	int			query_failed;	/* what sending the statement said, when it ended at once */
	bool		in_reply;		/* a statement was sent whose results were not all read */
	int			reply_level;	/* nesting level of the subtransaction that waits for them */
	MYSQL_RES  *rows;			/* rows that are still on their way */
	KlusterResult *stream;		/* who reads them; NULL: nobody any more */
	char	   *later;			/* the statement whose answer nobody has waited for yet; NULL: none */
	Oid			blamed;			/* the table that the statement changes; 0: none */
	TupleTableSlot *blamed_row; /* the only row that it stores, or NULL */

	/* The remote transaction (transaction.c). */
	bool		active;			/* begun, or about to be with the next statement */
	bool		begun;
	bool		written;
	bool		doomed;			/* the server lost it: the whole transaction must roll back */
	ErrorData  *failure;		/* of a statement of an outer level, raised in a subtransaction; NULL: none */
	int			failure_level;	/* which has to be rolled back because of it */
	KlusterPrepared prepared;
	int			level;			/* nesting level of the subtransaction that made it active */
	int			depth;			/* 1 + savepoints set */
	char		xid[KLUSTER_XID_ROOM];
};

/* The connection of that purpose, following the topology, open. */
extern KlusterConnection *kluster_reach(KlusterPurpose purpose, uint32 shard);

/*
 * Makes sure that the connection leads to the server that the topology names now,
 * and works. Waits for a failover, kluster.failover_timeout long, then it is an error.
 */
extern void kluster_make_ready(KlusterConnection *connection);

/* Drops the connection and makes it anew, to the server that the topology names now: one attempt. */
extern void kluster_reopen(KlusterConnection *connection);

/*
 * Does the topology name another server by now? Then the one that is waited for
 * may hang for ever: it was replaced because it does not answer.
 */
extern bool kluster_has_moved(KlusterConnection *connection);

/* Drops the connection to a server that was replaced; the error says so. */
extern void kluster_give_up(KlusterConnection *connection);

/* Nobody will ask for the answer to the statement of kluster_execute_later() any more. */
extern void kluster_forget_later(KlusterConnection *connection);

/* Drops the connection at once; never fails. What the server did not commit or prepare, it rolls back. */
extern void kluster_drop(KlusterConnection *connection);

/* Calls `visit` with every connection of this backend. */
extern void kluster_each_connection(void (*visit) (KlusterConnection *connection, void *argument), void *argument);

/*
 * Waits until one of the suspended operation's wishes comes true. Returns the
 * MYSQL_WAIT_* that did, MYSQL_WAIT_TIMEOUT when the time `until` came first
 * (0: no limit), or when a failover made waiting vain. Serves interrupts.
 */
extern int	kluster_wait(KlusterConnection *connection, int wishes, TimestampTz until);

/*
 * Sends a statement, and waits until all of it is sent. The text must live until
 * the answer has come. A failure shows when the answer is received.
 */
extern void kluster_send(KlusterConnection *connection, const char *text, TimestampTz until);

/* Receives the whole answer; false: it is a failure, or did not come until then: the connection is dropped then. */
extern bool kluster_receive(KlusterConnection *connection, TimestampTz until);

/*
 * Like kluster_execute, but reports failure by its return value, and ends at
 * the time `until` at the latest (0: no limit). For the end of transactions.
 */
extern bool kluster_try_execute(KlusterConnection *connection, const char *sql, TimestampTz until);

/*
 * Brings a connection with an unfinished statement into a state where it can
 * take the next one: by reading what is left, or by making the server stop it.
 * Drops the connection when that does not work before `until`. Never fails.
 */
extern void kluster_settle(KlusterConnection *connection, TimestampTz until);

/*
 * Is what is under way there for subtransactions outside of that level, and as they left it? Then the end of a
 * subtransaction of that level leaves it alone.
 */
extern bool kluster_outlives(KlusterConnection *connection, int level);

/* Forgets a failure that was kept for an outer level. */
extern void kluster_forget_failure(KlusterConnection *connection);

/* The connection is gone, or its statement failed: notes what that means for the transaction, and raises the error. */
extern void kluster_fail(KlusterConnection *connection, const char *sql) pg_attribute_noreturn();

/* The same, when the connection was dropped before. */
extern void kluster_lost(KlusterConnection *connection) pg_attribute_noreturn();

/* The error code of the statement that failed; CR_SERVER_LOST when there is no connection any more. */
extern unsigned int kluster_error_code(KlusterConnection *connection);

/* Why there is no connection any more, for messages. */
extern const char *kluster_loss(KlusterConnection *connection);

/* Does that code mean that there is no connection (any more)? */
extern bool kluster_is_connection_failure(unsigned int code);

/* Raises the error that the client library reports. */
extern void kluster_raise(KlusterConnection *connection, const char *sql) pg_attribute_noreturn();

#endif
