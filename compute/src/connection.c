/*
 * connection.c: this backend's connections: opening, keeping, dropping.
 */
#include "postgres.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "remote.h"
#include "settings.h"
#include "topology.h"

/*
 * What every session is set to. NO_BACKSLASH_ESCAPES is what quote.c relies on.
 * time_zone: a timestamptz travels as UTC.
 */
#define SESSION_SETTINGS \
	"SET SESSION time_zone = '+00:00'," \
	" sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO," \
	"NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,NO_AUTO_VALUE_ON_ZERO'," \
	" transaction_isolation = 'READ-COMMITTED', autocommit = 1;" \
	" SET NAMES utf8mb4 COLLATE utf8mb4_0900_bin"

/* Between two attempts to connect, unless the topology changes. */
#define RETRY_MILLISECONDS 200

static HTAB *cache = NULL;

static void
drop_all(int code, Datum argument)
{
	HASH_SEQ_STATUS scan;
	KlusterConnection *connection;

	hash_seq_init(&scan, cache);
	while ((connection = hash_seq_search(&scan)) != NULL)
		kluster_drop(connection);
}

static KlusterConnection *
cached(KlusterPurpose purpose, uint32 shard)
{
	KlusterConnection lookup;
	KlusterConnection *connection;
	bool		found;

	if (cache == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(lookup.key), .entrysize = sizeof(KlusterConnection), .hcxt = TopMemoryContext};

		cache = hash_create("kluster connections", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		before_shmem_exit(drop_all, (Datum) 0);
	}
	memset(&lookup.key, 0, sizeof(lookup.key));
	lookup.key.purpose = purpose;
	lookup.key.shard = shard;
	connection = hash_search(cache, &lookup.key, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) connection + sizeof(connection->key), 0, sizeof(*connection) - sizeof(connection->key));
		connection->wait_socket = PGINVALID_SOCKET;
	}
	return connection;
}

void
kluster_each_connection(void (*visit) (KlusterConnection *connection, void *argument), void *argument)
{
	HASH_SEQ_STATUS scan;
	KlusterConnection *connection;

	if (cache == NULL)
		return;
	hash_seq_init(&scan, cache);
	while ((connection = hash_seq_search(&scan)) != NULL)
		visit(connection, argument);
}

void
kluster_drop(KlusterConnection *connection)
{
	if (connection->wait_set != NULL)
		FreeWaitEventSet(connection->wait_set);
	connection->wait_set = NULL;
	connection->wait_socket = PGINVALID_SOCKET;
	if (connection->rows != NULL)
	{
		/* Freeing a result that still has its connection would read the rows that are left. */
		connection->rows->handle = NULL;
		mysql_free_result(connection->rows);
	}
	connection->rows = NULL;
	connection->stream = NULL;
	connection->in_reply = false;
	connection->waits = 0;
	if (connection->mysql != NULL)
		mysql_close(connection->mysql);
	connection->mysql = NULL;
	kluster_forget_later(connection);
}

static void
set_text(char **target, const char *text)
{
	if (*target != NULL && strcmp(*target, text) == 0)
		return;
	if (*target != NULL)
		pfree(*target);
	*target = MemoryContextStrdup(TopMemoryContext, text);
}

/* Points the connection to a server; drops it when it led elsewhere. */
static void
lead_to(KlusterConnection *connection, const char *what, const char *host, uint16 port, const char *user,
		const char *password)
{
	if (connection->mysql != NULL &&
		(strcmp(connection->host, host) != 0 || connection->port != port ||
		 strcmp(connection->user, user) != 0 || strcmp(connection->password, password) != 0))
		kluster_drop(connection);
	set_text(&connection->host, host);
	connection->port = port;
	set_text(&connection->user, user);
	set_text(&connection->password, password);
	set_text(&connection->label, psprintf("%s at %s:%u", what, host, port));
}

static void
lead_to_shard(KlusterConnection *connection, const KlusterTopology *topology)
{
	const KlusterShard *shard = kluster_find_shard(topology, connection->key.shard);

	if (shard == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the cluster has no shard %u", connection->key.shard)));
	if (shard->primary == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
				 errmsg("shard %s (id %u) has no primary at the moment", shard->name, shard->id)));
	lead_to(connection, psprintf("shard %s (id %u)", shard->name, shard->id), shard->primary->host,
			shard->primary->port, topology->user, topology->password);
}

static void
lead_to_metadata(KlusterConnection *connection, const KlusterTopology *topology)
{
	if (topology->metadata_host == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this compute node was not told where the metadata server is")));
	lead_to(connection, "the metadata server", topology->metadata_host, topology->metadata_port,
			topology->metadata_user, topology->metadata_password);
}

/* Follows the topology. */
static void
follow_topology(KlusterConnection *connection)
{
	const KlusterTopology *topology = kluster_topology();

	if (connection->key.purpose == KLUSTER_ANY)
		return;
	if (connection->host != NULL && connection->version == kluster_topology_version())
		return;
	if (connection->key.purpose == KLUSTER_METADATA)
		lead_to_metadata(connection, topology);
	else
		lead_to_shard(connection, topology);
	connection->version = kluster_topology_version();
}

/* Has the server closed the connection, or said something unasked for (that it is about to)? */
static bool
is_gone(KlusterConnection *connection)
{
	struct pollfd socket = {.fd = mysql_get_socket(connection->mysql), .events = POLLIN};

	return poll(&socket, 1, 0) != 0;
}

/* A server whose machine is gone without a word is noticed in half a minute. */
static void
watch_peer(int socket)
{
	int			idle_seconds = 10;
	int			interval_seconds = 5;
	int			probes = 4;
	unsigned int unacknowledged_milliseconds = 30000;
	int			on = 1;

	(void) setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void) setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
	(void) setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof(interval_seconds));
	(void) setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void) setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_milliseconds,
					  sizeof(unacknowledged_milliseconds));
}

static void
connect_now(KlusterConnection *connection)
{
	unsigned int seconds = (unsigned int) kluster_connect_timeout;
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kluster_connect_timeout * 1000L);
	MYSQL	   *connected = NULL;
	int			wishes;

	connection->given_up = false;
	connection->mysql = mysql_init(NULL);
	if (connection->mysql == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	mysql_options(connection->mysql, MYSQL_OPT_NONBLOCK, NULL);
	mysql_options(connection->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	mysql_options(connection->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	wishes = mysql_real_connect_start(&connected, connection->mysql, connection->host, connection->user,
									  connection->password, NULL, connection->port, NULL,
									  CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS);
	while (wishes != 0)
		wishes = mysql_real_connect_cont(&connected, connection->mysql, kluster_wait(connection, wishes, until));
	if (connected == NULL)
		kluster_raise(connection, NULL);
	watch_peer(mysql_get_socket(connection->mysql));
}

static void
open_connection(KlusterConnection *connection)
{
	if (connection->mysql != NULL)
		return;
	PG_TRY();
	{
		connect_now(connection);
		if (!kluster_try_execute(connection, SESSION_SETTINGS, 0))
			kluster_raise(connection, SESSION_SETTINGS);
	}
	PG_CATCH();
	{
		kluster_drop(connection);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
kluster_reopen(KlusterConnection *connection)
{
	kluster_drop(connection);
	follow_topology(connection);
	open_connection(connection);
}

/* One attempt; NULL: done, else why not. An error that no other server could mend is raised. */
static ErrorData *
try_reopen(KlusterConnection *connection)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *volatile failure = NULL;

	PG_TRY();
	{
		kluster_reopen(connection);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		failure = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(failure->sqlerrcode) != ERRCODE_CONNECTION_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return failure;
}

void
kluster_make_ready(KlusterConnection *connection)
{
	TimestampTz until;

	if (connection->mysql != NULL)
	{
		follow_topology(connection);
		if (connection->mysql != NULL && (connection->in_reply || !is_gone(connection)))
			return;
	}
	until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kluster_failover_timeout * 1000L);
	for (;;)
	{
		uint64		version = kluster_topology_version();
		ErrorData  *failure = try_reopen(connection);

		if (failure == NULL)
			return;
		if (GetCurrentTimestamp() >= until)
			ReThrowError(failure);
		FreeErrorData(failure);
		kluster_await_topology(version, RETRY_MILLISECONDS);
	}
}

KlusterConnection *
kluster_reach(KlusterPurpose purpose, uint32 shard)
{
	KlusterConnection *connection = cached(purpose, shard);

	if (!connection->begun)
		kluster_make_ready(connection);
	return connection;
}

KlusterConnection *
kluster_metadata_connection(void)
{
	return kluster_reach(KLUSTER_METADATA, 0);
}

KlusterConnection *
kluster_ddl_connection(uint32 shard)
{
	return kluster_reach(KLUSTER_DDL, shard);
}

KlusterConnection *
kluster_any_connection(const char *host, uint16 port)
{
	KlusterConnection *connection = cached(KLUSTER_ANY, 0);
	const KlusterTopology *topology = kluster_topology();

	lead_to(connection, "the server", host, port, topology->user, topology->password);
	kluster_reopen(connection);
	return connection;
}

MYSQL *
kluster_mysql(KlusterConnection *connection)
{
	return connection->mysql;
}

/* Makes wait_set wait for `events` at the socket. */
static void
prepare_wait_set(KlusterConnection *connection, int events)
{
	pgsocket	socket = mysql_get_socket(connection->mysql);

	if (connection->wait_set != NULL && connection->wait_socket != socket)
	{
		FreeWaitEventSet(connection->wait_set);
		connection->wait_set = NULL;
	}
	if (connection->wait_set == NULL)
	{
#if PG_VERSION_NUM >= 170000
		connection->wait_set = CreateWaitEventSet(NULL, 3);
#else
		connection->wait_set = CreateWaitEventSet(TopMemoryContext, 3);
#endif
		AddWaitEventToSet(connection->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
		AddWaitEventToSet(connection->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
		AddWaitEventToSet(connection->wait_set, events, socket, NULL, NULL);
		connection->wait_socket = socket;
	}
	else if (connection->wait_events != events)
		ModifyWaitEvent(connection->wait_set, 2, events, NULL);
	connection->wait_events = events;
}

bool
kluster_has_moved(KlusterConnection *connection)
{
	const KlusterTopology *topology;
	const KlusterShard *shard;
	const char *host;
	uint16		port;

	if (connection->key.purpose == KLUSTER_ANY || connection->version == kluster_topology_version())
		return false;
	topology = kluster_topology_if_set();
	if (topology == NULL)
		return false;
	shard = connection->key.purpose == KLUSTER_METADATA ? NULL : kluster_find_shard(topology, connection->key.shard);
	if (connection->key.purpose == KLUSTER_METADATA)
	{
		host = topology->metadata_host;
		port = topology->metadata_port;
	}
	else
	{
		host = shard == NULL || shard->primary == NULL ? NULL : shard->primary->host;
		port = host == NULL ? 0 : shard->primary->port;
	}
	return host != NULL && (strcmp(host, connection->host) != 0 || port != connection->port);
}

void
kluster_give_up(KlusterConnection *connection)
{
	kluster_drop(connection);
	connection->given_up = true;
}

int
kluster_wait(KlusterConnection *connection, int wishes, TimestampTz until)
{
	int			events = 0;

	if (wishes & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT))
		events |= WL_SOCKET_READABLE;
	if (wishes & MYSQL_WAIT_WRITE)
		events |= WL_SOCKET_WRITEABLE;
	for (;;)
	{
		WaitEvent	happened;
		bool		moved;
		long		timeout = KLUSTER_LOOK_MILLISECONDS;

		CHECK_FOR_INTERRUPTS();
		if (until != 0)
			timeout = Min(timeout, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until));
		/* What has arrived by now still counts. */
		moved = kluster_has_moved(connection);
		if (moved)
			timeout = 0;
		prepare_wait_set(connection, events);
		if (WaitEventSetWait(connection->wait_set, timeout, &happened, 1, PG_WAIT_EXTENSION) == 0)
		{
			if (timeout > 0)
				continue;
			connection->given_up = moved;
			return MYSQL_WAIT_TIMEOUT;
		}
		if (happened.events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		if (happened.events & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE))
			return ((happened.events & WL_SOCKET_READABLE) ? wishes & (MYSQL_WAIT_READ | MYSQL_WAIT_EXCEPT) : 0) |
				((happened.events & WL_SOCKET_WRITEABLE) ? MYSQL_WAIT_WRITE : 0);
	}
}
