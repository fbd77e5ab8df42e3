/*
 * ddl_store.c: what the metadata server keeps for definitions.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "connection.h"
#include "contention.h"
#include "ddl_settings.h"
#include "ddl_store.h"
#include "quote.h"
#include "topology.h"

/* A compute node that has not been heard of for so long is not waited for. */
#define SILENT_SECONDS 5

#define INTENTS "kluster_ddl_intents"
#define PROGRESS "kluster_ddl_progress"
#define SEQUENCES "kluster_shared_sequences"
#define TABLES_LOCK "DDL tables"

/* The metadata database's table of that name, quoted. */
static char *
table(const char *name)
{
	StringInfoData out;

	initStringInfo(&out);
	kluster_append_identifier(&out, kluster_topology()->metadata_database);
	appendStringInfoChar(&out, '.');
	kluster_append_identifier(&out, name);
	return out.data;
}

static char *
log_name(void)
{
	return psprintf("ddl_ops_log_%s", kluster_topology()->cluster_name);
}

static char *
literal(const char *value)
{
	StringInfoData out;

	if (value == NULL)
		return pstrdup("NULL");
	initStringInfo(&out);
	kluster_append_literal(&out, value, strlen(value));
	return out.data;
}

static void
attempt_statement(void *argument)
{
	kluster_execute(kluster_metadata_connection(), argument, NULL);
}

/* Not within a MySQL transaction: another session may execute it, and more than once. */
static void
execute(char *sql)
{
	kluster_insist(attempt_statement, sql);
}

/*
 * The single value of a query's only row; NULL when there is none. Everything
 * is read, so that the connection is ready for whoever commits.
 */
static char *
query_value(KlusterConnection *connection, const char *sql)
{
	KlusterResult *result = kluster_query(connection, sql);
	char	  **values;
	unsigned long *lengths;
	char	   *value = NULL;

	while (kluster_fetch(result, &values, &lengths))
		if (values[0] != NULL)
			value = pstrdup(values[0]);
	kluster_close(result);
	return value;
}

static uint64
number_of(const char *value)
{
	return value == NULL ? 0 : strtoull(value, NULL, 10);
}

static uint64
query_number(const char *sql)
{
	return number_of(query_value(kluster_metadata_connection(), sql));
}

/* The account may lack the privilege to create when the tables are there. */
static bool
has_private_tables(void)
{
	return query_number(psprintf("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
								 " AND TABLE_NAME IN ('" INTENTS "', '" PROGRESS "', '" SEQUENCES "')",
								 literal(kluster_topology()->metadata_database))) == 3;
}

static void
create_private_tables(void)
{
	execute(psprintf("CREATE TABLE IF NOT EXISTS %s (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,"
					 " cluster_id int unsigned NOT NULL, comp_id int unsigned NOT NULL, token bigint unsigned NOT NULL,"
					 " shard_id int unsigned NOT NULL, take_back mediumtext NULL, guard_database varchar(64) NULL,"
					 " guard_table varchar(64) NULL, mark varchar(128) NULL, at_commit mediumtext NULL,"
					 " when_made timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, KEY cluster_id (cluster_id))",
					 table(INTENTS)));
	execute(psprintf("CREATE TABLE IF NOT EXISTS %s (cluster_id int unsigned NOT NULL, comp_id int unsigned NOT NULL,"
					 " op_id bigint unsigned NOT NULL, seen timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),"
					 " PRIMARY KEY (cluster_id, comp_id))",
					 table(PROGRESS)));
	execute(psprintf("CREATE TABLE IF NOT EXISTS %s (cluster_id int unsigned NOT NULL, id varchar(255) NOT NULL,"
					 " next_value bigint NOT NULL, exhausted tinyint NOT NULL DEFAULT 0, PRIMARY KEY (cluster_id, id))"
					 " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
					 table(SEQUENCES)));
}

/* The server releases the lock with the connection, should that break. */
static void
lock_or_fail(const char *name)
{
	char	   *answer = query_value(kluster_metadata_connection(),
									 psprintf("SELECT GET_LOCK(%s, %d)", literal(name), kluster_ddl_lock_timeout));

	if (answer == NULL || strcmp(answer, "1") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another session of the cluster is defining things for more than %d seconds",
						kluster_ddl_lock_timeout),
				 errhint("One transaction of the cluster at a time may hold definitions. Try again, or raise kluster.ddl_lock_timeout.")));
}

/*
 * Under a lock of their own: MySQL fails one of two sessions that create the same table with a deadlock when that one holds a
 * named lock, as whoever defines things does (seen with 9.7; it cannot back off then).
 */
void
kluster_store_prepare(void)
{
	static bool made = false;

	if (made)
		return;
	if (!has_private_tables())
	{
		lock_or_fail(TABLES_LOCK);
		PG_TRY();
		{
			create_private_tables();
		}
		PG_FINALLY();
		{
			(void) query_value(kluster_metadata_connection(), psprintf("SELECT RELEASE_LOCK(%s)", literal(TABLES_LOCK)));
		}
		PG_END_TRY();
	}
	made = true;
}

void
kluster_store_lock(void)
{
	lock_or_fail("DDL");
	kluster_store_prepare();
}

void
kluster_store_unlock(void)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		(void) query_value(kluster_metadata_connection(), "SELECT RELEASE_ALL_LOCKS()");
	}
	PG_CATCH();
	{
		/* The server releases it with the connection, which is broken. */
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
}

uint64
kluster_store_new_token(void)
{
	return query_number("SELECT UUID_SHORT()");
}

uint64
kluster_store_newest(void)
{
	return query_number(psprintf("SELECT COALESCE(MAX(id), 0) FROM %s", table(log_name())));
}

uint64
kluster_store_intent(const KlusterIntent *intent)
{
	const KlusterTopology *topology = kluster_topology();

	execute(psprintf("INSERT INTO %s (cluster_id, comp_id, token, shard_id, take_back, guard_database, guard_table, mark, at_commit)"
					 " VALUES (%u, %u, " UINT64_FORMAT ", %u, %s, %s, %s, %s, %s)",
					 table(INTENTS), topology->cluster_id, topology->comp_id, intent->token, intent->shard, literal(intent->undo),
					 literal(intent->guard_database), literal(intent->guard_table), literal(intent->mark),
					 literal(intent->at_commit)));
	return query_number("SELECT LAST_INSERT_ID()");
}

char *
kluster_store_put_off_text(uint64 id, const char *at_commit)
{
	return psprintf("UPDATE %s SET at_commit = %s WHERE id = " UINT64_FORMAT, table(INTENTS), literal(at_commit), id);
}

void
kluster_store_forget_intent(uint64 id)
{
	execute(psprintf("DELETE FROM %s WHERE id = " UINT64_FORMAT, table(INTENTS), id));
}

static char *
copied(const char *value)
{
	return value == NULL ? NULL : pstrdup(value);
}

List *
kluster_store_intents(void)
{
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;
	List	   *intents = NIL;

	result = kluster_query(kluster_metadata_connection(),
						   psprintf("SELECT id, token, shard_id, take_back, guard_database, guard_table, mark, at_commit,"
									" EXISTS (SELECT 1 FROM %s l WHERE l.txn_id = i.token) FROM %s i WHERE cluster_id = %u ORDER BY id",
									table(log_name()), table(INTENTS), kluster_topology()->cluster_id));
	while (kluster_fetch(result, &values, &lengths))
	{
		KlusterIntent *intent = palloc(sizeof(KlusterIntent));

		intent->id = strtoull(values[0], NULL, 10);
		intent->token = strtoull(values[1], NULL, 10);
		intent->shard = (uint32) strtoul(values[2], NULL, 10);
		intent->undo = copied(values[3]);
		intent->guard_database = copied(values[4]);
		intent->guard_table = copied(values[5]);
		intent->mark = copied(values[6]);
		intent->at_commit = copied(values[7]);
		intent->committed = strcmp(values[8], "1") == 0;
		intents = lappend(intents, intent);
	}
	kluster_close(result);
	return intents;
}

/* The source with the settings that it needs, as a comment that MySQL and people can read over. */
static char *
source_with_settings(const KlusterLogEntry *entry)
{
	return entry->settings == NULL ? pstrdup(entry->source) : psprintf("/*kluster %s*/ %s", entry->settings, entry->source);
}

/* Names of objects of PostgreSQL have up to 63 bytes, so they fit. */
static char *
append_text(uint64 token, uint64 seen, const KlusterLogEntry *entry)
{
	char	   *user = GetUserNameFromId(GetSessionUserId(), false);
	char	   *role = GetUserNameFromId(GetUserId(), false);
	const char *path = GetConfigOption("search_path", false, false);

	return psprintf("CALL %s(%s, %s, %s, %s, %s, %s, %s, %s, %s, " UINT64_FORMAT ", %s, '', %u, %u, " UINT64_FORMAT ", @kluster_id)",
					table("append_ddl_log_entry"), literal(log_name()), literal(get_database_name(MyDatabaseId)),
					literal(entry->schema), literal(role), literal(user), literal(path), literal(entry->object_name),
					literal(entry->object_type), literal(entry->operation), seen, literal(source_with_settings(entry)),
					entry->shard, kluster_topology()->comp_id, token);
}

/* A MySQL transaction that appends to the log. */
typedef struct Append
{
	List	   *statements;
	bool		again;
	uint64		id;				/* of the last entry */
} Append;

/* All of it in one session: another one would know nothing of the transaction, and execute the rest by itself. */
static void
attempt_append(void *argument)
{
	Append	   *append = argument;
	KlusterConnection *connection = kluster_metadata_connection();
	ListCell   *cell;

	if (append->again)
		kluster_execute(connection, "ROLLBACK", NULL);
	append->again = true;
	kluster_execute(connection, "START TRANSACTION", NULL);
	foreach(cell, append->statements)
		kluster_execute(connection, lfirst(cell), NULL);
	append->id = number_of(query_value(connection, "SELECT @kluster_id"));
}

uint64
kluster_store_append(uint64 token, uint64 seen, List *entries, List *statements)
{
	Append		append = {NIL};
	ListCell   *cell;

	foreach(cell, entries)
		append.statements = lappend(append.statements, append_text(token, seen, lfirst(cell)));
	append.statements = list_concat(append.statements, statements);
	/* By the key of clusters, so that it waits for none of another cluster. */
	append.statements = lappend(append.statements,
								psprintf("DELETE FROM %s WHERE cluster_id = %u AND token = " UINT64_FORMAT " AND at_commit IS NULL",
										 table(INTENTS), kluster_topology()->cluster_id, token));
	kluster_insist(attempt_append, &append);
	return append.id;
}

bool
kluster_store_has(uint64 token)
{
	return query_number(psprintf("SELECT COUNT(*) FROM %s WHERE txn_id = " UINT64_FORMAT, table(log_name()), token)) > 0;
}

List *
kluster_store_entries(uint64 after, uint64 up_to, const char *database, int limit)
{
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;
	List	   *entries = NIL;

	result = kluster_query(kluster_metadata_connection(),
						   psprintf("SELECT id, txn_id, initiator, target_shard_id, db_name, role_name, search_path, optype, sql_src"
									" FROM %s WHERE id > " UINT64_FORMAT " AND id <= " UINT64_FORMAT "%s ORDER BY id LIMIT %d",
									table(log_name()), after, up_to,
									database == NULL ? "" : psprintf(" AND db_name = %s", literal(database)), limit));
	while (kluster_fetch(result, &values, &lengths))
	{
		KlusterLoggedEntry *entry = palloc(sizeof(KlusterLoggedEntry));

		entry->id = strtoull(values[0], NULL, 10);
		entry->token = strtoull(values[1], NULL, 10);
		entry->initiator = (uint32) strtoul(values[2], NULL, 10);
		entry->shard = (uint32) strtoul(values[3], NULL, 10);
		entry->database = pstrdup(values[4]);
		entry->role = pstrdup(values[5]);
		entry->search_path = pstrdup(values[6]);
		entry->operation = pstrdup(values[7]);
		entry->source = pstrdup(values[8]);
		entries = lappend(entries, entry);
	}
	kluster_close(result);
	return entries;
}

void
kluster_store_report(uint64 applied)
{
	const KlusterTopology *topology = kluster_topology();

	kluster_store_prepare();
	execute(psprintf("INSERT INTO %s (cluster_id, comp_id, op_id, seen) VALUES (%u, %u, " UINT64_FORMAT ", CURRENT_TIMESTAMP(3))"
					 " ON DUPLICATE KEY UPDATE op_id = VALUES(op_id), seen = VALUES(seen)",
					 table(PROGRESS), topology->cluster_id, topology->comp_id, applied));
}

char *
kluster_store_behind(uint64 id)
{
	const KlusterTopology *topology = kluster_topology();

	return query_value(kluster_metadata_connection(),
					   psprintf("SELECT GROUP_CONCAT(comp_id ORDER BY comp_id SEPARATOR ', ') FROM %s WHERE cluster_id = %u"
								" AND comp_id <> %u AND op_id < " UINT64_FORMAT " AND seen > CURRENT_TIMESTAMP(3) - INTERVAL %d SECOND",
								table(PROGRESS), topology->cluster_id, topology->comp_id, id, SILENT_SECONDS));
}

List *
kluster_store_databases_like(uint32 shard, const char *prefix)
{
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;
	List	   *names = NIL;

	result = kluster_query(kluster_ddl_connection(shard),
						   psprintf("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, CHAR_LENGTH(%s)) = %s",
									literal(prefix), literal(prefix)));
	while (kluster_fetch(result, &values, &lengths))
		names = lappend(names, pstrdup(values[0]));
	kluster_close(result);
	return names;
}
