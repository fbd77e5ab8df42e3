/*
 * shown_kind.c: sharded tables look like ordinary tables to whoever reads the catalogs.
 *
 * To PostgreSQL they are foreign tables. Programs that look for tables (drivers, mappers of objects, migrations, psql's \dt,
 * information_schema) leave foreign tables out, or their keys. So what a query reads from pg_class.relkind is shown as
 * the user made it: a table, and an ordinary index of it. Nothing is stored differently, and PostgreSQL's own code, which
 * does not read its catalogs with queries, sees what there is. pg_foreign_table has the shards.
 */
#include "postgres.h"

#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "utils/guc.h"
#include "utils/plancache.h"

#include "shown_kind.h"
#include "table_shape.h"

static bool show_foreign = false;

static planner_hook_type previous_planner = NULL;

PG_FUNCTION_INFO_V1(kluster_shown_kind);

Datum
kluster_shown_kind(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char		kind = PG_GETARG_CHAR(1);

	if (kind == RELKIND_FOREIGN_TABLE && kluster_is_sharded(relid))
		kind = RELKIND_RELATION;
	else if (kind == RELKIND_PARTITIONED_INDEX && kluster_is_sharded(IndexGetRelation(relid, true)))
		kind = RELKIND_INDEX;
	PG_RETURN_CHAR(kind);
}

static bool
is_catalog(const RangeTblEntry *entry)
{
	return entry->rtekind == RTE_RELATION && entry->relid == RelationRelationId;
}

static bool
reads_catalog(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
		return is_catalog((RangeTblEntry *) node);
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, reads_catalog, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, reads_catalog, context);
}

typedef struct Replacement
{
	List	   *queries;		/* that are around the expression, the innermost first */
	Oid			function;
} Replacement;

static bool
is_kind(const Var *column, Replacement *replacement)
{
	Query	   *query;

	if (column->varattno != Anum_pg_class_relkind || column->varlevelsup >= list_length(replacement->queries))
		return false;
	query = list_nth(replacement->queries, column->varlevelsup);
	return column->varno > 0 && column->varno <= list_length(query->rtable) &&
		is_catalog(rt_fetch(column->varno, query->rtable));
}

static Node *
shown(Var *column, Replacement *replacement)
{
	Var		   *relid = makeVar(column->varno, Anum_pg_class_oid, OIDOID, -1, InvalidOid, column->varlevelsup);

	return (Node *) makeFuncExpr(replacement->function, CHAROID, list_make2(relid, copyObject(column)), InvalidOid,
								 InvalidOid, COERCE_EXPLICIT_CALL);
}

static Node *
replace_kinds(Node *node, void *context)
{
	Replacement *replacement = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && is_kind((Var *) node, replacement))
		return shown((Var *) node, replacement);
	if (IsA(node, Query))
	{
		Query	   *query;

		replacement->queries = lcons(node, replacement->queries);
		query = query_tree_mutator((Query *) node, replace_kinds, context, 0);
		replacement->queries = list_delete_first(replacement->queries);
		return (Node *) query;
	}
	return expression_tree_mutator(node, replace_kinds, context);
}

bool
kluster_is_dump(void)
{
	return application_name != NULL && strncmp(application_name, "pg_dump", strlen("pg_dump")) == 0;
}

/* The dump of a database has to make the tables again: it needs what they are. */
static bool
wants_the_truth(void)
{
	return show_foreign || creating_extension || kluster_is_dump();
}

static PlannedStmt *
plan(Query *query, const char *text, int options, ParamListInfo parameters)
{
	planner_hook_type next = previous_planner ? previous_planner : standard_planner;

	if (query->commandType == CMD_SELECT && !wants_the_truth() && reads_catalog((Node *) query, NULL))
	{
		List	   *name = list_make2(makeString("kluster"), makeString("shown_kind"));
		Oid			types[] = {OIDOID, CHAROID};
		Replacement replacement = {NIL, LookupFuncName(name, 2, types, true)};

		/* A database without the extension has no sharded tables. */
		if (OidIsValid(replacement.function))
			query = castNode(Query, replace_kinds((Node *) query, &replacement));
	}
	return next(query, text, options, parameters);
}

static void
forget_plans(bool value, void *extra)
{
	ResetPlanCache();
}

void
kluster_shown_kind_init(void)
{
	DefineCustomBoolVariable("kluster.show_foreign_tables",
							 "The catalogs show sharded tables as the foreign tables that they are to PostgreSQL.",
							 NULL, &show_foreign,
							 false, PGC_USERSET, 0, NULL, forget_plans, NULL);
	previous_planner = planner_hook;
	planner_hook = plan;
}
