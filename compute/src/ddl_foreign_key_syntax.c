/*
 * ddl_foreign_key_syntax.c: where statements have foreign keys.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"

#include "ddl_foreign_key.h"
#include "foreign_key.h"
#include "table_shape.h"

bool
kluster_is_timing(const Constraint *constraint)
{
	return constraint->contype == CONSTR_ATTR_DEFERRABLE || constraint->contype == CONSTR_ATTR_NOT_DEFERRABLE ||
		constraint->contype == CONSTR_ATTR_DEFERRED || constraint->contype == CONSTR_ATTR_IMMEDIATE;
}

Constraint *
kluster_take_column_foreign_key(List *constraints, Constraint *constraint, const char *column)
{
	bool		is_behind = false;
	ListCell   *cell;

	constraint->fk_attrs = list_make1(makeString(pstrdup(column)));
	constraint->initially_valid = true;
	foreach(cell, constraints)
	{
		Constraint *other = lfirst_node(Constraint, cell);

		if (is_behind && !kluster_is_timing(other))
			break;
		if (is_behind && (other->contype == CONSTR_ATTR_DEFERRABLE || other->contype == CONSTR_ATTR_DEFERRED))
			constraint->deferrable = true;
		is_behind = is_behind || other == constraint;
	}
	return constraint;
}

static bool
is_foreign_key(const AlterTableCmd *command)
{
	return command->subtype == AT_AddConstraint && castNode(Constraint, command->def)->contype == CONSTR_FOREIGN;
}

bool
kluster_is_foreign_keys(const Node *part)
{
	ListCell   *cell;

	if (!IsA(part, AlterTableStmt))
		return false;
	foreach(cell, castNode(AlterTableStmt, part)->cmds)
		if (!is_foreign_key(lfirst_node(AlterTableCmd, cell)))
			return false;
	return true;
}

/* The shard of the table that it refers to. 0: it is no such constraint, or there is no such table. */
static uint32
shard_of(const Constraint *constraint)
{
	Oid			relid;

	if (constraint->contype != CONSTR_FOREIGN)
		return 0;
	relid = RangeVarGetRelid(constraint->pktable, NoLock, true);
	return OidIsValid(relid) && kluster_is_sharded(relid) ? kluster_read_place(relid)->shard : 0;
}

uint32
kluster_referenced_shard(const List *elements)
{
	uint32		shard = 0;
	ListCell   *cell;

	foreach(cell, elements)
	{
		ListCell   *inner;

		if (shard == 0 && IsA(lfirst(cell), Constraint))
			shard = shard_of(lfirst(cell));
		if (!IsA(lfirst(cell), ColumnDef))
			continue;
		foreach(inner, lfirst_node(ColumnDef, cell)->constraints)
			if (shard == 0)
				shard = shard_of(lfirst_node(Constraint, inner));
	}
	return shard;
}

/* All tables that the statement names, with their partitions. */
static List *
truncated_tables(const TruncateStmt *statement)
{
	List	   *relids = NIL;
	ListCell   *cell;

	foreach(cell, statement->relations)
	{
		RangeVar   *name = lfirst_node(RangeVar, cell);
		Oid			relid = RangeVarGetRelid(name, NoLock, true);

		if (OidIsValid(relid))
			relids = list_concat_unique_oid(relids, name->inh ? find_all_inheritors(relid, NoLock, NULL) : list_make1_oid(relid));
	}
	return relids;
}

static void
check_referencing(Oid relid, const List *truncated)
{
	ListCell   *cell;

	foreach(cell, kluster_foreign_keys_of(relid, 0))
	{
		KlusterForeignKey *key = kluster_foreign_key(lfirst_oid(cell));

		if (key->referenced == relid && kluster_is_sharded(key->relid) && !list_member_oid(truncated, key->relid))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot truncate a table referenced in a foreign key constraint"),
					 errdetail("Table \"%s\" references \"%s\".", get_rel_name(key->relid), get_rel_name(relid)),
					 errhint("Truncate table \"%s\" at the same time, or use TRUNCATE ... CASCADE.", get_rel_name(key->relid))));
	}
}

void
kluster_check_truncate(const TruncateStmt *statement)
{
	List	   *truncated = truncated_tables(statement);
	ListCell   *cell;

	if (statement->behavior == DROP_CASCADE)
		return;
	foreach(cell, truncated)
		if (kluster_is_sharded(lfirst_oid(cell)))
			check_referencing(lfirst_oid(cell), truncated);
}
