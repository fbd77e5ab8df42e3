/*
 * ddl_storage.c: statements about PostgreSQL's own storage, on sharded tables.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"

#include "ddl_storage.h"
#include "table_shape.h"

static bool
has_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, name) == 0)
			return true;
	return false;
}

/* A sharded table, or one that has only such partitions. */
static bool
is_sharded(const RangeVar *name)
{
	Oid			relid = name == NULL ? InvalidOid : RangeVarGetRelid(name, NoLock, true);
	ListCell   *cell;

	if (!OidIsValid(relid))
		return false;
	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
		if (get_rel_relkind(lfirst_oid(cell)) != RELKIND_PARTITIONED_TABLE && !kluster_is_sharded(lfirst_oid(cell)))
			return false;
	return true;
}

bool
kluster_is_storage_statement(Node *statement)
{
	if (IsA(statement, CopyStmt))
		return castNode(CopyStmt, statement)->is_from && has_option(castNode(CopyStmt, statement)->options, "freeze") &&
			is_sharded(castNode(CopyStmt, statement)->relation);
	if (IsA(statement, VacuumStmt) && castNode(VacuumStmt, statement)->is_vacuumcmd)
	{
		ListCell   *cell;

		foreach(cell, castNode(VacuumStmt, statement)->rels)
			if (is_sharded(lfirst_node(VacuumRelation, cell)->relation))
				return true;
	}
	return false;
}

static void
take_freeze(CopyStmt *copy)
{
	ListCell   *cell;

	foreach(cell, copy->options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, "freeze") == 0)
			copy->options = foreach_delete_current(copy->options, cell);
}

/* Does the wrapper collect statistics? */
static bool
can_analyze(void)
{
	return GetFdwRoutineByServerId(get_foreign_server_oid(KLUSTER_SERVER, false))->AnalyzeForeignTable != NULL;
}

/* VACUUM has nothing to do; VACUUM ANALYZE is ANALYZE. With other tables in the list it stays what it is, for those. */
static bool
adapt_vacuum(VacuumStmt *vacuum)
{
	bool		analyze = false;
	bool		verbose = false;
	List	   *sharded = NIL;
	ListCell   *cell;

	foreach(cell, vacuum->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "analyze") == 0)
			analyze = defGetBoolean(option);
		if (strcmp(option->defname, "verbose") == 0)
			verbose = defGetBoolean(option);
	}
	foreach(cell, vacuum->rels)
	{
		if (!is_sharded(lfirst_node(VacuumRelation, cell)->relation))
			continue;
		sharded = lappend(sharded, lfirst(cell));
		vacuum->rels = foreach_delete_current(vacuum->rels, cell);
	}
	if (vacuum->rels != NIL)
		return true;
	vacuum->is_vacuumcmd = false;
	vacuum->options = verbose ? list_make1(makeDefElem("verbose", NULL, -1)) : NIL;
	vacuum->rels = sharded;
	return analyze && can_analyze();
}

bool
kluster_adapt_storage_statement(Node *statement)
{
	if (IsA(statement, CopyStmt))
	{
		take_freeze(castNode(CopyStmt, statement));
		return true;
	}
	return adapt_vacuum(castNode(VacuumStmt, statement));
}

/* A lock of PostgreSQL's keeps nobody out who comes through another compute node. The weak ones keep out definitions only. */
void
kluster_check_lock(LockStmt *statement)
{
	ListCell   *cell;

	if (statement->mode < ShareUpdateExclusiveLock)
		return;
	foreach(cell, statement->relations)
		if (is_sharded(lfirst_node(RangeVar, cell)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("LOCK TABLE is not supported for sharded table \"%s\"", lfirst_node(RangeVar, cell)->relname),
					 errhint("Lock rows with SELECT ... FOR UPDATE, or use the isolation level SERIALIZABLE.")));
}
