/*
 * ddl_applied.c: which entries of the log this database has, and applying one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "ddl_applied.h"
#include "ddl_replay.h"

/* The lock that says: this transaction appends or applies. Fields of an advisory lock that users cannot take. */
#define LOCK_CLASS 7
#define LOCK_KEY 0x6b6c7573

static const KlusterLoggedEntry *applying = NULL;

uint64
kluster_replay_token(void)
{
	return applying == NULL ? 0 : applying->token;
}

uint32
kluster_replay_shard(void)
{
	return applying == NULL ? 0 : applying->shard;
}

bool
kluster_replaying(void)
{
	return applying != NULL;
}

void
kluster_lock_applying(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, LOCK_KEY, 0, LOCK_CLASS);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* The row's owner is the extension's, whoever the current user is. */
static uint64
with_progress(const char *sql, uint64 id, bool store)
{
	Oid			user;
	int			context;
	uint64		found = 0;
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum((int64) id)};
	int			expected = store ? SPI_OK_INSERT : SPI_OK_SELECT;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	if (SPI_execute_with_args(sql, store ? 1 : 0, types, values, NULL, false, 0) != expected)
		elog(ERROR, "cannot access kluster.ddl_progress");
	if (!store && SPI_processed == 1)
		found = strtoull(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1), NULL, 10);
	SPI_finish();
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, context);
	return found;
}

uint64
kluster_applied(void)
{
	return with_progress("SELECT op_id FROM kluster.ddl_progress WHERE scope = 'database'", 0, false);
}

void
kluster_store_applied(uint64 id)
{
	(void) with_progress("INSERT INTO kluster.ddl_progress (scope, op_id) VALUES ('database', $1)"
						 " ON CONFLICT (scope) DO UPDATE SET op_id = EXCLUDED.op_id", id, true);
}

uint64
kluster_node_applied(void)
{
	return with_progress("SELECT op_id FROM kluster.ddl_progress WHERE scope = 'node'", 0, false);
}

void
kluster_store_node_applied(uint64 id)
{
	(void) with_progress("INSERT INTO kluster.ddl_progress (scope, op_id) VALUES ('node', $1)"
						 " ON CONFLICT (scope) DO UPDATE SET op_id = EXCLUDED.op_id", id, true);
}

static void
set_for_entry(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, ERROR, false);
}

/*
 * The settings that came with the text: a line of `name=value` pairs, each value
 * quoted as a literal of SQL, within the comment that starts it.
 */
static const char *
apply_settings(const char *source)
{
	const char *start = source + strlen("/*kluster ");
	const char *end;
	char	   *list;
	char	   *pair;
	char	   *rest;

	if (strncmp(source, "/*kluster ", strlen("/*kluster ")) != 0 || (end = strstr(start, "*/ ")) == NULL)
		return source;
	list = pnstrdup(start, end - start);
	for (pair = strtok_r(list, ";", &rest); pair != NULL; pair = strtok_r(NULL, ";", &rest))
	{
		char	   *value = strchr(pair, '=');

		if (value == NULL)
			continue;
		*value++ = '\0';
		set_for_entry(pair, value);
	}
	return end + strlen("*/ ");
}

static void
execute_source(const char *source)
{
	ListCell   *cell;

	foreach(cell, pg_parse_query(source))
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		List	   *queries;
		ListCell   *query;

		PushActiveSnapshot(GetTransactionSnapshot());
		queries = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, source, NULL, 0, NULL), source, 0, NULL);
		PopActiveSnapshot();
		foreach(query, queries)
		{
			PlannedStmt *statement = lfirst_node(PlannedStmt, query);

			if (statement->commandType != CMD_UTILITY)
				elog(ERROR, "an entry of the log of definitions is not a definition");
			if (kluster_needs_no_replay(statement->utilityStmt))
				continue;
			PushActiveSnapshot(GetTransactionSnapshot());
			ProcessUtility(statement, source, false, PROCESS_UTILITY_TOPLEVEL, NULL, NULL, None_Receiver, NULL);
			if (ActiveSnapshotSet())
				PopActiveSnapshot();
			CommandCounterIncrement();
		}
	}
}

static void
apply_now(const KlusterLoggedEntry *entry)
{
	Oid			user;
	int			context;
	Oid			role = get_role_oid(entry->role, true);

	set_for_entry("search_path", entry->search_path);
	GetUserIdAndSecContext(&user, &context);
	if (OidIsValid(role))
		SetUserIdAndSecContext(role, context);
	execute_source(apply_settings(entry->source));
	SetUserIdAndSecContext(user, context);
}

void
kluster_apply(const KlusterLoggedEntry *entry)
{
	StartTransactionCommand();
	kluster_lock_applying();
	if (kluster_applied() < entry->id)
	{
		applying = entry;
		PG_TRY();
		{
			apply_now(entry);
		}
		PG_FINALLY();
		{
			applying = NULL;
		}
		PG_END_TRY();
		kluster_store_applied(entry->id);
	}
	CommitTransactionCommand();
}
