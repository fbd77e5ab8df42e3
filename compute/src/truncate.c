/*
 * truncate.c: TRUNCATE, as DELETE: MySQL's own TRUNCATE could not be rolled back.
 *
 * Tables that foreign keys link are emptied together, in any order and whatever refers to what, so MySQL must not check
 * row by row. But somebody else may store a row meanwhile that refers to one which is not deleted yet. So
 * the tables are emptied again until there was nothing left in any of them: whoever comes then waits for what is deleted.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "deparse.h"
#include "foreign_key.h"
#include "modify.h"
#include "quote.h"
#include "targets.h"

/* Somebody stores rows each time. */
#define MOST_ROUNDS 100

static uint64
empty(Oid relid, bool is_linked)
{
	KlusterTable *table = kluster_table(relid);
	KlusterChange change = {.relation = relid, .shard = table->shard};
	StringInfoData sql;
	uint64		deleted;

	initStringInfo(&sql);
	appendStringInfo(&sql, "DELETE %sFROM ", is_linked ? "/*+ SET_VAR(foreign_key_checks = 0) */ " : "");
	kluster_append_table(&sql, table);
	change.sql = sql.data;
	deleted = kluster_change(&change);
	pfree(sql.data);
	return deleted;
}

static void
empty_linked(const List *relids)
{
	uint64		deleted = 1;

	for (int round = 0; deleted > 0; round++)
	{
		ListCell   *cell;

		CHECK_FOR_INTERRUPTS();
		if (round == MOST_ROUNDS)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("table \"%s\" cannot be truncated, because others store rows in it, or in one that refers to it, all the time",
							get_rel_name(linitial_oid(relids)))));
		deleted = 0;
		foreach(cell, relids)
			deleted += empty(lfirst_oid(cell), true);
	}
}

void
kluster_truncate(List *relations, DropBehavior behavior, bool restart_sequences)
{
	List	   *linked = NIL;
	ListCell   *cell;

	foreach(cell, relations)
	{
		Oid			relid = RelationGetRelid((Relation) lfirst(cell));

		if (kluster_foreign_keys_of(relid, 0) != NIL)
			linked = lappend_oid(linked, relid);
		else
			(void) empty(relid, false);
	}
	if (linked != NIL)
		empty_linked(linked);
}
