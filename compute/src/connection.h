/*
 * connection.h: talking to the shards.
 *
 * A backend keeps one connection per shard. Getting it for a statement starts
 * the remote transaction when one is needed; the end of the PostgreSQL
 * transaction ends it (transaction.c). Every wait serves interrupts, so cancel
 * and statement_timeout work at once. Every failure of the remote side is an
 * error with a SQLSTATE that says what it means (failure.c); after an error the
 * (sub)transaction has to be rolled back, as always in PostgreSQL.
 */
#ifndef KLUSTER_CONNECTION_H
#define KLUSTER_CONNECTION_H

#include "postgres.h"

#include "executor/tuptable.h"

#include "mysql_client.h"

typedef struct KlusterConnection KlusterConnection;
typedef struct KlusterResult KlusterResult;

typedef enum KlusterAccess
{
	KLUSTER_READ,				/* SELECT without locks */
	KLUSTER_WRITE				/* everything that changes or locks rows */
} KlusterAccess;

/*
 * The connection of this backend to the primary of a shard, ready for a
 * statement of the current transaction. Ask for it before each statement
 * (BeginForeignScan, BeginForeignModify, ...) and do not keep it longer than
 * the statement. Asking with KLUSTER_WRITE notes the shard as written.
 * A read in READ COMMITTED runs without a remote transaction until the shard is
 * written in this transaction.
 */
extern KlusterConnection *kluster_connection(uint32 shard, KlusterAccess access);

/*
 * A connection to the metadata server, outside of all transactions
 * (autocommit). Close nothing: it is cached.
 */
extern KlusterConnection *kluster_metadata_connection(void);

/*
 * A connection to the primary of a shard outside of all transactions
 * (autocommit), for DDL, which MySQL commits by itself. Cached as well. Locks
 * that the transaction of this backend holds on the shard can block it.
 */
extern KlusterConnection *kluster_ddl_connection(uint32 shard);

/*
 * A new connection to any server with the account for the shards, outside of all
 * transactions. The next call ends it.
 */
extern KlusterConnection *kluster_any_connection(const char *host, uint16 port);

/* For the few calls of the client library that need it: escaping, warnings. */
extern MYSQL *kluster_mysql(KlusterConnection *connection);

/*
 * Executes a statement without rows. `affected` (may be NULL) gets the number
 * of rows that matched (UPDATE) or were stored or deleted.
 */
extern void kluster_execute(KlusterConnection *connection, const char *sql, uint64 *affected);

/*
 * Sends a statement without rows, and returns while the shard works on it: its failure is raised by
 * the next use of the connection, at the latest by kluster_await(). Only the first statement of a
 * remote transaction is executed at once, because it may have to be sent again.
 */
extern void kluster_execute_later(KlusterConnection *connection, const char *sql);

/* Waits for the statement that kluster_execute_later() has sent; nothing when there is none. */
extern void kluster_await(KlusterConnection *connection);

/*
 * Errors of the next statement are about rows of this table, `row` if it is the only one (else NULL): they are raised as
 * PostgreSQL would. InvalidOid: of no table. kluster_await() and the end of the (sub)transaction reset it.
 */
extern void kluster_blame(KlusterConnection *connection, Oid relation, TupleTableSlot *row);

/*
 * Executes a statement with rows, which are streamed: memory stays bounded.
 * Lives in the current memory context, which must live until kluster_close();
 * after an error there is nothing to close. Another statement on the same
 * connection first stores the rows that are left aside (in a tuplestore), so
 * any number of results can be open.
 */
extern KlusterResult *kluster_query(KlusterConnection *connection, const char *sql);

extern int	kluster_columns(KlusterResult *result);

/*
 * The next row; false at the end. A NULL is a NULL pointer; other values end with a
 * zero byte after `lengths[i]` bytes. Valid until the next call with this result, or any
 * other statement on its connection.
 */
extern bool kluster_fetch(KlusterResult *result, char ***values, unsigned long **lengths);

/* Cheap also when many rows are left: the server is told to stop. */
extern void kluster_close(KlusterResult *result);

/*
 * The asynchronous way, for Append over several shards: start, then wait for
 * the socket to be readable whenever kluster_try_fetch() says KLUSTER_LATER.
 */
typedef enum KlusterFetch
{
	KLUSTER_ROW,
	KLUSTER_END,
	KLUSTER_LATER
} KlusterFetch;

extern KlusterResult *kluster_query_start(KlusterConnection *connection, const char *sql);
extern KlusterFetch kluster_try_fetch(KlusterResult *result, char ***values, unsigned long **lengths);

/*
 * To be called before each wait for the socket: gives the connection up when its
 * server was replaced meanwhile, and may never answer. The next fetch then sends
 * the statement to the new one, or is an error.
 */
extern void kluster_check_source(KlusterResult *result);

/* The socket to wait for; PGINVALID_SOCKET when the rest of the rows has been stored aside. */
extern pgsocket kluster_result_socket(KlusterResult *result);

#endif
