/*
 * ddl_create_as.c: CREATE TABLE AS and SELECT INTO make a sharded table, and fill it
 * through the foreign data wrapper.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "ddl_create.h"
#include "ddl_track.h"

static ColumnDef *
column_for(const TargetEntry *entry, const char *name)
{
	Node	   *expression = (Node *) entry->expr;
	ColumnDef  *column = makeColumnDef(name, exprType(expression), exprTypmod(expression), exprCollation(expression));

	if (column->typeName->typeOid == UNKNOWNOID)
		column->typeName = makeTypeNameFromOid(TEXTOID, -1);
	return column;
}

static CreateStmt *
table_for(const CreateTableAsStmt *statement, const Query *query)
{
	CreateStmt *create = makeNode(CreateStmt);
	ListCell   *names = list_head(statement->into->colNames);
	ListCell   *cell;

	create->relation = copyObject(statement->into->rel);
	create->options = copyObject(statement->into->options);
	create->oncommit = statement->into->onCommit;
	create->tablespacename = statement->into->tableSpaceName;
	create->accessMethod = statement->into->accessMethod;
	create->if_not_exists = statement->if_not_exists;
	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);
		const char *name = entry->resname;

		if (entry->resjunk)
			continue;
		if (names != NULL)
		{
			name = strVal(lfirst(names));
			names = lnext(statement->into->colNames, names);
		}
		create->tableElts = lappend(create->tableElts, column_for(entry, name));
	}
	if (names != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("too many column names were specified")));
	return create;
}

/* The statement that others execute: the rows are made here alone. */
static char *
definition_of(Oid relid, uint32 shard, bool mirrored)
{
	StringInfoData out;
	Relation	relation = table_open(relid, NoLock);
	TupleDesc	descriptor = RelationGetDescr(relation);

	initStringInfo(&out);
	appendStringInfo(&out, "CREATE TABLE %s (",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
												RelationGetRelationName(relation)));
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		appendStringInfo(&out, "%s%s %s", i == 0 ? "" : ", ", quote_identifier(NameStr(attribute->attname)),
						 format_type_extended(attribute->atttypid, attribute->atttypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	}
	table_close(relation, NoLock);
	appendStringInfo(&out, ") WITH (shard = %s)", mirrored ? "all" : psprintf("%u", shard));
	return out.data;
}

/* INSERT INTO the table <query>. */
static Query *
insert_of(Oid relid, Query *query)
{
	ParseState *state = make_parsestate(NULL);
	Relation	relation = table_open(relid, NoLock);
	ParseNamespaceItem *target = addRangeTableEntryForRelation(state, relation, RowExclusiveLock, NULL, false, false);
	ParseNamespaceItem *source = addRangeTableEntryForSubquery(state, query, makeAlias("source", NIL), false, false);
	Query	   *insert = makeNode(Query);
	RangeTblRef *reference = makeNode(RangeTblRef);
	AttrNumber	position = 0;
	ListCell   *cell;

	target->p_rte->requiredPerms = ACL_INSERT;
	insert->commandType = CMD_INSERT;
	insert->canSetTag = true;
	insert->resultRelation = target->p_rtindex;
	reference->rtindex = source->p_rtindex;
	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);
		Expr	   *value;

		if (entry->resjunk)
			continue;
		position++;
		value = (Expr *) makeVar(source->p_rtindex, entry->resno, exprType((Node *) entry->expr),
								 exprTypmod((Node *) entry->expr), exprCollation((Node *) entry->expr), 0);
		insert->targetList = lappend(insert->targetList,
									 makeTargetEntry(value, position,
													 pstrdup(NameStr(TupleDescAttr(RelationGetDescr(relation), position - 1)->attname)),
													 false));
	}
	insert->rtable = state->p_rtable;
	insert->jointree = makeFromExpr(list_make1(reference), NULL);
	table_close(relation, NoLock);
	free_parsestate(state);
	return insert;
}

static uint64
execute_insert(Query *insert, const char *source)
{
	PlannedStmt *plan;
	QueryDesc  *description;
	uint64		rows;

	AcquireRewriteLocks(insert, true, false);
	plan = pg_plan_query(linitial_node(Query, QueryRewrite(insert)), source, CURSOR_OPT_PARALLEL_OK, NULL);
	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	description = CreateQueryDesc(plan, source, GetActiveSnapshot(), InvalidSnapshot, None_Receiver, NULL, NULL, 0);
	ExecutorStart(description, 0);
	ExecutorRun(description, ForwardScanDirection, 0, true);
	ExecutorFinish(description);
	rows = description->estate->es_processed;
	ExecutorEnd(description);
	FreeQueryDesc(description);
	PopActiveSnapshot();
	return rows;
}

uint32
kluster_create_table_as(CreateTableAsStmt *statement, const char *source, KlusterExecute execute, char **definition,
						uint64 *rows)
{
	Query	   *query = castNode(Query, statement->query);
	CreateStmt *create;
	uint32		shard;
	Oid			relid;

	if (query->commandType == CMD_UTILITY)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot be sharded: CREATE TABLE AS EXECUTE is not supported",
						statement->into->rel->relname),
				 errhint("Write the query instead of EXECUTE.")));
	create = table_for(statement, query);
	if (create->if_not_exists && OidIsValid(RangeVarGetRelid(create->relation, NoLock, true)))
	{
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists, skipping", create->relation->relname)));
		return 0;
	}
	shard = kluster_create_table(create, source, execute);
	relid = RangeVarGetRelid(create->relation, NoLock, false);
	*definition = definition_of(relid, shard, shard == 0);
	kluster_track_settle();
	if (!statement->into->skipData)
		*rows = execute_insert(insert_of(relid, copyObject(query)), source);
	return shard;
}
