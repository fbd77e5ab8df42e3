/*
 * failure.c: what goes wrong at a shard, as an error of PostgreSQL.
 */
#include "postgres.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include "mb/pg_wchar.h"

#include "remote.h"

/* The server was told to shut down, or threw the session out. */
#define SERVER_SAYS_GOODBYE 4031

/* An administrator killed the session. */
#define SESSION_WAS_KILLED 3169

/* NOWAIT, and the row is locked. */
#define ROW_IS_LOCKED 3572

/* What a foreign key changes would make two rows with one key, with and without the key's name; or it changes too many levels. */
#define CASCADE_MAKES_DUPLICATE 1761
#define CASCADE_MAKES_SOME_DUPLICATE 1762
#define CASCADE_IS_TOO_DEEP 3008

/* A batch of rows would hide the error. */
#define SHOWN_BYTES 1000

/* What a MySQL error means to a client of PostgreSQL. */
static int
sqlstate_of(unsigned int code)
{
	switch (code)
	{
		case CR_SERVER_GONE_ERROR:
		case CR_SERVER_LOST:
		case SERVER_SAYS_GOODBYE:
		case SESSION_WAS_KILLED:
		case ER_SERVER_SHUTDOWN:
			return ERRCODE_CONNECTION_FAILURE;
		case CR_CONNECTION_ERROR:
		case CR_CONN_HOST_ERROR:
		case CR_UNKNOWN_HOST:
		case ER_CON_COUNT_ERROR:
		case KLUSTER_GROUP_MOVES:
			return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
		case ER_ACCESS_DENIED_ERROR:
			return ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION;
		case ER_DUP_ENTRY:
		case CASCADE_MAKES_DUPLICATE:
		case CASCADE_MAKES_SOME_DUPLICATE:
			return ERRCODE_UNIQUE_VIOLATION;
		case ER_LOCK_DEADLOCK:
			return ERRCODE_T_R_DEADLOCK_DETECTED;
		case ER_LOCK_WAIT_TIMEOUT:
		case ROW_IS_LOCKED:
			return ERRCODE_LOCK_NOT_AVAILABLE;
		case ER_QUERY_INTERRUPTED:
			return ERRCODE_QUERY_CANCELED;
		case ER_BAD_NULL_ERROR:
			return ERRCODE_NOT_NULL_VIOLATION;
		case ER_DATA_TOO_LONG:
			return ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
		case ER_WARN_DATA_OUT_OF_RANGE:
		case ER_DATA_OUT_OF_RANGE:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case ER_DIVISION_BY_ZERO:
			return ERRCODE_DIVISION_BY_ZERO;
		case ER_NO_SUCH_TABLE:
			return ERRCODE_UNDEFINED_TABLE;
		case ER_DUP_FIELDNAME:
			return ERRCODE_DUPLICATE_COLUMN;
		case ER_DUP_KEYNAME:
			return ERRCODE_DUPLICATE_OBJECT;
		case ER_TOO_BIG_ROWSIZE:
		case ER_TOO_MANY_FIELDS:
		case ER_TOO_MANY_KEYS:
		case ER_TOO_MANY_KEY_PARTS:
		case ER_TOO_LONG_KEY:
		case ER_NET_PACKET_TOO_LARGE:
		case CASCADE_IS_TOO_DEEP:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case ER_NO_REFERENCED_ROW:
		case ER_NO_REFERENCED_ROW_2:
		case ER_ROW_IS_REFERENCED:
		case ER_ROW_IS_REFERENCED_2:
			return ERRCODE_FOREIGN_KEY_VIOLATION;
		case ER_OPTION_PREVENTS_STATEMENT:
			return ERRCODE_READ_ONLY_SQL_TRANSACTION;
		case ER_RECORD_FILE_FULL:
		case ER_DISK_FULL:
			return ERRCODE_DISK_FULL;
		default:
			return ERRCODE_FDW_ERROR;
	}
}

bool
kluster_is_connection_failure(unsigned int code)
{
	int			state = sqlstate_of(code);

	return ERRCODE_TO_CATEGORY(state) == ERRCODE_CONNECTION_EXCEPTION && code != ER_ACCESS_DENIED_ERROR;
}

unsigned int
kluster_error_code(KlusterConnection *connection)
{
	unsigned int code = connection->mysql == NULL ? CR_SERVER_LOST : mysql_errno(connection->mysql);

	return code == 0 ? CR_UNKNOWN_ERROR : code;
}

const char *
kluster_loss(KlusterConnection *connection)
{
	return connection->given_up ? "it has not answered, and is no longer the primary" : "the connection was lost";
}

void
kluster_raise(KlusterConnection *connection, const char *sql)
{
	unsigned int code = kluster_error_code(connection);
	const char *text = pstrdup(connection->mysql == NULL ? kluster_loss(connection) : mysql_error(connection->mysql));
	int			shown = sql == NULL ? 0 : pg_mbcliplen(sql, (int) strlen(sql), SHOWN_BYTES);

	ereport(ERROR,
			(errcode(sqlstate_of(code)),
			 errmsg("%s: %s", connection->label, text),
			 errdetail_internal("MySQL error %u.", code),
			 code != ER_CON_COUNT_ERROR ? 0 :
			 errhint("All connections of this server are in use: end sessions of compute nodes, or raise max_connections there."),
			 /* The macro errcontext is two expressions. */
			 sql == NULL ? 0 :
			 (errcontext("statement for the shard: %.*s%s", shown, sql, sql[shown] == '\0' ? "" : "..."))));
}
