/*
 * ddl_undo.c: ends what an intent speaks of: takes it back, or does the rest.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "connection.h"
#include "ddl_settings.h"
#include "ddl_undo.h"
#include "quote.h"

/* MySQL: what was to be dropped is not there. */
#define COLUMN_IS_GONE 1091
#define TABLE_IS_GONE 1146
#define DATABASE_IS_GONE 1008

/* A name that MySQL cannot have is there as little as any other: it is no reason for an error. */
static void
append_name(StringInfo sql, const char *name)
{
	appendStringInfoString(sql, "CONVERT(");
	kluster_append_literal(sql, name, strlen(name));
	appendStringInfoString(sql, " USING utf8mb3)");
}

/* Was the statement executed that was to leave the mark? */
static bool
is_marked(const KlusterIntent *intent)
{
	StringInfoData sql;
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;
	bool		marked;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ");
	append_name(&sql, intent->guard_database);
	appendStringInfoString(&sql, " AND TABLE_NAME = ");
	append_name(&sql, intent->guard_table);
	appendStringInfoString(&sql, " AND TABLE_COMMENT = ");
	kluster_append_literal(&sql, intent->mark, strlen(intent->mark));
	result = kluster_query(kluster_ddl_connection(intent->shard), sql.data);
	marked = kluster_fetch(result, &values, &lengths);
	kluster_close(result);
	return marked;
}

static void
execute_bounded(uint32 shard, const char *sql, bool checks_foreign_keys)
{
	kluster_execute(kluster_ddl_connection(shard),
					psprintf("SET SESSION lock_wait_timeout = %d, foreign_key_checks = %d; %s", kluster_ddl_lock_timeout,
							 checks_foreign_keys, sql), NULL);
}

/*
 * Runs `sql`, with a warning instead of an error. It is no failure that there is nothing to drop. What takes back is guarded
 * by the mark. What finishes drops tables and databases in any order, so nobody asks whether one refers to another: the
 * catalogs have made sure that all of these go.
 */
static bool
attempt(const KlusterIntent *intent, const char *sql, bool guarded)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool done = true;

	PG_TRY();
	{
		if (!guarded || is_marked(intent))
			execute_bounded(intent->shard, sql, guarded);
	}
	PG_CATCH();
	{
		ErrorData  *error;
		unsigned int code = 0;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (error->detail != NULL)
			(void) sscanf(error->detail, "MySQL error %u", &code);
		done = code == COLUMN_IS_GONE || code == TABLE_IS_GONE || code == DATABASE_IS_GONE;
		if (!done)
			ereport(WARNING,
					(errmsg("%s; this is tried again with the next definition: %s", error->message, sql)));
	}
	PG_END_TRY();
	return done;
}

bool
kluster_take_back(const KlusterIntent *intent)
{
	return intent->undo == NULL || attempt(intent, intent->undo, true);
}

bool
kluster_finish(const KlusterIntent *intent)
{
	return intent->at_commit == NULL || attempt(intent, intent->at_commit, false);
}
