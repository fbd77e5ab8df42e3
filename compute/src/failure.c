/*
 * failure.c: what goes wrong at a shard, as an error of PostgreSQL.
 */
#include "postgres.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include "remote.h"

/* The server was told to shut down, or threw the session out. */
#define SERVER_SAYS_GOODBYE 4031

/* What a MySQL error means to a client of PostgreSQL. */
static int
sqlstate_of(unsigned int code)
{
	switch (code)
	{
		case CR_SERVER_GONE_ERROR:
		case CR_SERVER_LOST:
		case SERVER_SAYS_GOODBYE:
		case ER_SERVER_SHUTDOWN:
			return ERRCODE_CONNECTION_FAILURE;
		case CR_CONNECTION_ERROR:
		case CR_CONN_HOST_ERROR:
		case CR_UNKNOWN_HOST:
		case ER_CON_COUNT_ERROR:
		case ER_ACCESS_DENIED_ERROR:
			return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
		case ER_DUP_ENTRY:
			return ERRCODE_UNIQUE_VIOLATION;
		case ER_LOCK_DEADLOCK:
			return ERRCODE_T_R_DEADLOCK_DETECTED;
		case ER_LOCK_WAIT_TIMEOUT:
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
		case ER_NO_REFERENCED_ROW_2:
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

void
kluster_raise(KlusterConnection *connection, const char *sql)
{
	unsigned int code = mysql_errno(connection->mysql);
	char	   *text = pstrdup(mysql_error(connection->mysql));

	ereport(ERROR,
			(errcode(sqlstate_of(code)),
			 errmsg("%s: %s", connection->label, text),
			 errdetail_internal("MySQL error %u.", code),
			 sql == NULL ? 0 : errcontext("statement for the shard: %s", sql)));
}
