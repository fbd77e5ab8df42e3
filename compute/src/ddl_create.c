/*
 * ddl_create.c: CREATE TABLE makes sharded tables.
 *
 * PostgreSQL's own analysis expands LIKE, SERIAL, IDENTITY and constraints. Of
 * what comes out, the table becomes a foreign table, and its indexes become
 * entries of the catalogs (ddl_index.h).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "parser/parse_utilcmd.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "ddl_applied.h"
#include "ddl_create.h"
#include "ddl_foreign_key.h"
#include "ddl_index.h"
#include "ddl_partition.h"
#include "ddl_settings.h"
#include "ddl_shards.h"
#include "ddl_track.h"
#include "table_shape.h"
#include "topology.h"

/* Settings of heap storage: they mean nothing at a shard, and are accepted. */
static const char *const ignored_parameters[] = {
	"fillfactor", "parallel_workers", "toast_tuple_target", "vacuum_index_cleanup", "vacuum_truncate",
	"log_autovacuum_min_duration", "user_catalog_table",
};

static void
refuse(const CreateStmt *statement, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("table \"%s\" cannot be sharded: %s", statement->relation->relname, what)));
}

static void
check_constraint(const CreateStmt *statement, const Constraint *constraint)
{
	if (constraint->contype == CONSTR_FOREIGN && (statement->partspec != NULL || statement->partbound != NULL))
		refuse(statement, "foreign keys of partitioned tables and partitions are not supported");
	if (constraint->contype == CONSTR_EXCLUSION)
		refuse(statement, "exclusion constraints are not supported");
	if (constraint->deferrable && constraint->contype != CONSTR_FOREIGN)
		refuse(statement, "deferrable constraints are not supported");
}

static void
check_elements(const CreateStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->tableElts)
	{
		Node	   *element = lfirst(cell);
		ListCell   *inner;

		if (IsA(element, Constraint))
			check_constraint(statement, castNode(Constraint, element));
		if (!IsA(element, ColumnDef))
			continue;
		foreach(inner, castNode(ColumnDef, element)->constraints)
			check_constraint(statement, lfirst_node(Constraint, inner));
	}
}

static void
check_statement(const CreateStmt *statement)
{
	if (statement->inhRelations != NIL && statement->partbound == NULL)
		refuse(statement, "INHERITS is not supported");
	if (statement->ofTypename != NULL)
		refuse(statement, "OF a type is not supported");
	if (statement->tablespacename != NULL)
		refuse(statement, "TABLESPACE is not supported");
	if (statement->accessMethod != NULL && strcmp(statement->accessMethod, "heap") != 0)
		refuse(statement, psprintf("access method %s is not supported", statement->accessMethod));
	check_elements(statement);
}

static bool
is_ignored(const DefElem *parameter)
{
	if (parameter->defnamespace != NULL)
		return strcmp(parameter->defnamespace, "toast") == 0;
	if (strncmp(parameter->defname, "autovacuum_", strlen("autovacuum_")) == 0)
		return true;
	for (size_t i = 0; i < lengthof(ignored_parameters); i++)
		if (strcmp(ignored_parameters[i], parameter->defname) == 0)
			return true;
	return false;
}

/* The value of WITH (shard = ...), NULL without; all parameters are taken out of the statement. */
static char *
take_shard(CreateStmt *statement)
{
	char	   *shard = NULL;
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *parameter = lfirst_node(DefElem, cell);

		if (parameter->defnamespace == NULL && strcmp(parameter->defname, "shard") == 0)
			shard = defGetString(parameter);
		else if (!is_ignored(parameter))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized parameter \"%s\"", parameter->defname)));
	}
	statement->options = NIL;
	return shard;
}

static void
check_shard(const char *shard)
{
	char	   *end;
	unsigned long id = strtoul(shard, &end, 10);

	if (strcmp(shard, "all") == 0)
		return;
	if (*end != '\0' || id == 0 || id > PG_UINT32_MAX || kluster_find_shard(kluster_topology(), (uint32) id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("shard: \"%s\" is no shard of this cluster", shard),
				 errhint("It is the id of a shard (see pg_shard), or all.")));
}

/* The shard of the table that it refers to; else the one that the session wants its tables on, but for partitions; else where there is room. */
static uint32
choose_by_itself(const CreateStmt *statement)
{
	uint32		shard = kluster_referenced_shard(statement->tableElts);

	if (shard == 0 && statement->partbound == NULL)
		shard = (uint32) kluster_default_shard;
	if (shard != 0)
		check_shard(psprintf("%u", shard));
	return shard != 0 ? shard : kluster_place_table();
}

/* Where the table goes: as the statement says, as the log says, or by itself. */
static char *
choose_shard(CreateStmt *statement)
{
	char	   *shard = take_shard(statement);

	if (shard != NULL)
	{
		if (!kluster_replaying())
			check_shard(shard);
		return shard;
	}
	return psprintf("%u", kluster_replaying() ? kluster_replay_shard() : choose_by_itself(statement));
}

/* The elements of an analysed statement, such that analysing them once more changes nothing. */
static List *
settled_elements(const CreateStmt *statement)
{
	List	   *elements = NIL;
	ListCell   *cell;

	foreach(cell, statement->tableElts)
	{
		ColumnDef  *column = copyObject(lfirst_node(ColumnDef, cell));

		column->constraints = NIL;
		elements = lappend(elements, column);
	}
	return list_concat(elements, statement->constraints);
}

static CreateForeignTableStmt *
as_foreign_table(const CreateStmt *statement, const char *shard)
{
	CreateForeignTableStmt *foreign = makeNode(CreateForeignTableStmt);

	foreign->base = *statement;
	foreign->base.type = T_CreateForeignTableStmt;
	foreign->base.accessMethod = NULL;
	foreign->servername = KLUSTER_SERVER;
	foreign->options = list_make2(makeDefElem("shard", (Node *) makeString(pstrdup(shard)), -1),
								  makeDefElem("managed", (Node *) makeString(pstrdup("true")), -1));
	return foreign;
}

/* What the table came to be, for the statements that follow. */
typedef struct Creation
{
	RangeVar   *name;
	Oid			relid;
	Oid			parent;			/* of a partition */
	char	   *shard;			/* NULL: partitioned */
	KlusterExecute execute;
} Creation;

static void
create_relation(Creation *creation, CreateStmt *statement)
{
	List	   *hidden = OidIsValid(creation->parent) ? kluster_hide_unique(creation->parent) : NIL;

	creation->name = statement->relation;
	statement->tableElts = settled_elements(statement);
	statement->constraints = NIL;
	statement->if_not_exists = false;
	if (creation->shard == NULL)
		creation->execute((Node *) statement);
	else
		creation->execute((Node *) as_foreign_table(statement, creation->shard));
	kluster_show_unique(hidden);
	CommandCounterIncrement();
	creation->relid = RangeVarGetRelid(statement->relation, NoLock, false);
	kluster_track_creation(creation->relid);
	if (OidIsValid(creation->parent) && creation->shard != NULL)
		kluster_inherit_indexes(creation->parent, creation->relid);
}

static void
create_foreign_keys(Oid relid, const AlterTableStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->cmds)
		kluster_define_foreign_key(relid, castNode(Constraint, lfirst_node(AlterTableCmd, cell)->def));
}

static void
execute_part(Creation *creation, Node *statement)
{
	if (kluster_is_foreign_keys(statement))
		create_foreign_keys(creation->relid, castNode(AlterTableStmt, statement));
	else if (IsA(statement, CreateStmt))
		create_relation(creation, castNode(CreateStmt, statement));
	else if (IsA(statement, IndexStmt))
		(void) kluster_define_index(creation->relid, castNode(IndexStmt, statement));
	else
		creation->execute(statement);
	CommandCounterIncrement();
}

uint32
kluster_create_table(CreateStmt *statement, const char *source, KlusterExecute execute)
{
	Creation	creation = {.execute = execute};
	List	   *parts;

	check_statement(statement);
	if (statement->partbound != NULL)
		creation.parent = RangeVarGetRelid(linitial_node(RangeVar, statement->inhRelations), ShareUpdateExclusiveLock, false);
	if (statement->partspec == NULL)
		creation.shard = choose_shard(statement);
	else if (take_shard(statement) != NULL)
		refuse(statement, "a partitioned table has no shard, its partitions have");
	parts = transformCreateStmt(statement, source);
	while (parts != NIL)
	{
		Node	   *part = linitial(parts);

		parts = list_delete_first(parts);
		if (IsA(part, TableLikeClause))
			parts = list_concat(expandTableLikeClause(creation.name, castNode(TableLikeClause, part)), parts);
		else
			execute_part(&creation, part);
	}
	if (OidIsValid(creation.parent) && OidIsValid(creation.relid) && !kluster_replaying())
		kluster_check_default_partition(creation.parent, creation.relid);
	return creation.shard == NULL ? 0 : (uint32) strtoul(creation.shard, NULL, 10);
}
