/*
 * ddl_alter.c: ALTER TABLE of sharded tables.
 *
 * PostgreSQL does to the foreign table what it can do to one. Keys, which it
 * cannot, are taken out of the statement and become entries of the catalogs.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "nodes/makefuncs.h"
#include "parser/parse_utilcmd.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ddl_alter.h"
#include "ddl_applied.h"
#include "ddl_foreign_key.h"
#include "ddl_index.h"
#include "ddl_partition.h"
#include "ddl_track.h"
#include "foreign_key.h"
#include "table_shape.h"

/* What is done around PostgreSQL's part of the statement. */
typedef struct Alteration
{
	Oid			relid;
	RangeVar   *name;			/* says whether partitions are meant as well */
	List	   *keys;			/* of IndexStmt, to define afterwards */
	List	   *foreign_keys;	/* of Constraint, to define after these */
	List	   *checks;			/* names of CHECK constraints that the rows must satisfy */
	Oid			attached;		/* a table that becomes a partition */
	List	   *hidden;
} Alteration;

static void
refuse(Oid relid, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot alter sharded table \"%s\": %s", get_rel_name(relid), what)));
}

static bool
is_key(const Constraint *constraint)
{
	return constraint->contype == CONSTR_PRIMARY || constraint->contype == CONSTR_UNIQUE;
}

/* The index of a key constraint; `column`: the only one, when the constraint is written with it. */
static IndexStmt *
index_for(const Constraint *constraint, const char *column)
{
	IndexStmt  *index = makeNode(IndexStmt);
	ListCell   *cell;
	List	   *names = constraint->keys != NIL ? constraint->keys : list_make1(makeString(pstrdup(column)));

	index->idxname = constraint->conname;
	index->unique = true;
	index->isconstraint = true;
	index->primary = constraint->contype == CONSTR_PRIMARY;
	index->deferrable = constraint->deferrable;
	index->nulls_not_distinct = constraint->nulls_not_distinct;
	index->tableSpace = constraint->indexspace;
	index->indexIncludingParams = constraint->including;
	index->accessMethod = "btree";
	foreach(cell, names)
	{
		IndexElem  *element = makeNode(IndexElem);

		element->name = strVal(lfirst(cell));
		index->indexParams = lappend(index->indexParams, element);
	}
	return index;
}

static void
check_constraint(Oid relid, const Constraint *constraint)
{
	if (constraint->contype == CONSTR_EXCLUSION)
		refuse(relid, "exclusion constraints are not supported");
	if (is_key(constraint) && constraint->indexname != NULL)
		refuse(relid, "a constraint USING INDEX is not supported");
}

static void
take_column_keys(Alteration *alteration, ColumnDef *column)
{
	List	   *rest = NIL;
	bool		follows_foreign_key = false;
	ListCell   *cell;

	foreach(cell, column->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, cell);

		check_constraint(alteration->relid, constraint);
		follows_foreign_key = constraint->contype == CONSTR_FOREIGN || (follows_foreign_key && kluster_is_timing(constraint));
		if (is_key(constraint))
			alteration->keys = lappend(alteration->keys, index_for(constraint, column->colname));
		else if (constraint->contype == CONSTR_FOREIGN)
			alteration->foreign_keys = lappend(alteration->foreign_keys,
											   kluster_take_column_foreign_key(column->constraints, constraint, column->colname));
		else if (!follows_foreign_key)
			rest = lappend(rest, constraint);
	}
	column->constraints = rest;
}

/* `USING column::type` says what happens anyway; anything else would be another value. */
static void
check_using(Oid relid, const AlterTableCmd *command)
{
	ColumnDef  *definition = castNode(ColumnDef, command->def);
	Node	   *expression = definition->raw_default;
	ColumnRef  *reference;

	if (expression == NULL)
		return;
	if (IsA(expression, TypeCast))
		expression = castNode(TypeCast, expression)->arg;
	reference = IsA(expression, ColumnRef) ? castNode(ColumnRef, expression) : NULL;
	if (reference == NULL || list_length(reference->fields) != 1 || !IsA(linitial(reference->fields), String) ||
		strcmp(strVal(linitial(reference->fields)), command->name) != 0)
		refuse(relid, "ALTER COLUMN ... TYPE with USING an expression is not supported");
	definition->raw_default = NULL;
}

/* PostgreSQL would make its foreign keys anew, and MySQL wants both tables changed together. */
static void
check_unlinked_column(Oid relid, const char *column)
{
	AttrNumber	number = get_attnum(relid, column);

	if (number > 0 && kluster_foreign_keys_of(relid, number) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot alter sharded table \"%s\": the type of column \"%s\" cannot be changed, because it belongs to a foreign key",
						get_rel_name(relid), column),
				 errhint("Drop the foreign key, change the columns of both tables, and add it again.")));
}

/* PostgreSQL would rebuild the indexes of the column, which it cannot on a foreign table. They are made anew instead. */
static void
set_keys_aside(Alteration *alteration, const char *column)
{
	Relation	relation = relation_open(alteration->relid, AccessExclusiveLock);
	AttrNumber	number = get_attnum(alteration->relid, column);
	AttrMap    *same = make_attrmap(RelationGetDescr(relation)->natts);
	ListCell   *cell;

	for (int i = 0; i < same->maplen; i++)
		same->attnums[i] = (AttrNumber) (i + 1);
	foreach(cell, RelationGetIndexList(relation))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessExclusiveLock);
		bool		contains = false;
		ObjectAddress object;
		Oid			constraint = InvalidOid;
		IndexStmt  *statement;

		for (int i = 0; i < index->rd_index->indnatts; i++)
			contains = contains || index->rd_index->indkey.values[i] == number;
		statement = contains ? generateClonedIndexStmt(NULL, index, same, &constraint) : NULL;
		if (statement != NULL)
			statement->idxname = pstrdup(RelationGetRelationName(index));
		index_close(index, NoLock);
		if (statement == NULL)
			continue;
		if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE || relation->rd_rel->relispartition)
			refuse(alteration->relid, "the type of an indexed column of a partitioned table cannot be changed");
		alteration->keys = lappend(alteration->keys, statement);
		if (OidIsValid(constraint))
			ObjectAddressSet(object, ConstraintRelationId, constraint);
		else
			ObjectAddressSet(object, RelationRelationId, lfirst_oid(cell));
		performDeletion(&object, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
	}
	relation_close(relation, NoLock);
	CommandCounterIncrement();
}

static void
attach(Alteration *alteration, const AlterTableCmd *command)
{
	PartitionCmd *partition = castNode(PartitionCmd, command->def);

	alteration->attached = RangeVarGetRelid(partition->name, AccessExclusiveLock, false);
	kluster_check_unlinked(alteration->attached, "become a partition");
	kluster_track_change_of_all(alteration->attached);
	alteration->hidden = kluster_hide_unique(alteration->relid);
}

/* Is the subcommand left to PostgreSQL? */
static bool
prepare_command(Alteration *alteration, AlterTableCmd *command)
{
	switch (command->subtype)
	{
		case AT_AddColumn:
			if (!command->missing_ok || get_attnum(alteration->relid, castNode(ColumnDef, command->def)->colname) == InvalidAttrNumber)
				take_column_keys(alteration, castNode(ColumnDef, command->def));
			return true;
		case AT_AddConstraint:
			{
				Constraint *constraint = castNode(Constraint, command->def);

				check_constraint(alteration->relid, constraint);
				if (constraint->contype == CONSTR_FOREIGN)
				{
					alteration->foreign_keys = lappend(alteration->foreign_keys, constraint);
					return false;
				}
				if (is_key(constraint))
				{
					alteration->keys = lappend(alteration->keys, index_for(constraint, NULL));
					return false;
				}
				if (constraint->contype == CONSTR_CHECK && constraint->conname != NULL && !constraint->skip_validation)
					alteration->checks = lappend(alteration->checks, constraint->conname);
				return true;
			}
		case AT_AlterColumnType:
			check_using(alteration->relid, command);
			check_unlinked_column(alteration->relid, command->name);
			set_keys_aside(alteration, command->name);
			return true;
		case AT_AttachPartition:
			if (get_rel_relkind(alteration->relid) != RELKIND_PARTITIONED_TABLE)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
						 errmsg("table \"%s\" is not partitioned", get_rel_name(alteration->relid))));
			attach(alteration, command);
			return true;
		case AT_EnableRowSecurity:
		case AT_ForceRowSecurity:
			refuse(alteration->relid, "row level security is not supported");
			return false;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
		case AT_SetLogged:
		case AT_SetUnLogged:
		case AT_ClusterOn:
		case AT_DropCluster:
			/* About heap storage, which there is none of. */
			return get_rel_relkind(alteration->relid) != RELKIND_FOREIGN_TABLE;
		default:
			return true;
	}
}

static void
finish(const Alteration *alteration)
{
	ListCell   *cell;

	kluster_show_unique(alteration->hidden);
	if (OidIsValid(alteration->attached))
		kluster_inherit_indexes(alteration->relid, alteration->attached);
	foreach(cell, alteration->keys)
	{
		IndexStmt  *index = lfirst_node(IndexStmt, cell);

		index->relation = alteration->name;
		(void) kluster_define_index(alteration->relid, index);
	}
	foreach(cell, alteration->foreign_keys)
		kluster_define_foreign_key(alteration->relid, lfirst_node(Constraint, cell));
	if (kluster_replaying())
		return;
	if (OidIsValid(alteration->attached))
	{
		kluster_check_partition(alteration->attached);
		kluster_check_default_partition(alteration->relid, alteration->attached);
	}
	foreach(cell, alteration->checks)
		kluster_check_constraint(alteration->relid, lfirst(cell));
}

void
kluster_alter_table(Oid relid, AlterTableStmt *statement, const char *source, KlusterExecute execute)
{
	Alteration	alteration = {.relid = relid, .name = statement->relation};
	List	   *commands = NIL;
	ListCell   *cell;

	LockRelationOid(relid, AccessExclusiveLock);
	kluster_track_change_of_all(relid);
	foreach(cell, statement->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (prepare_command(&alteration, command))
			commands = lappend(commands, command);
	}
	statement->cmds = commands;
	if (commands != NIL)
		execute((Node *) statement);
	CommandCounterIncrement();
	finish(&alteration);
}
