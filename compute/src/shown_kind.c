/*
 * shown_kind.c: sharded tables look like ordinary tables to whoever reads the catalogs.
 *
 * To PostgreSQL they are foreign tables. Programs that look for tables (drivers, mappers of objects, migrations, psql's \dt,
 * information_schema) leave foreign tables out, or their keys. So what a query reads from pg_class.relkind is shown as
 * the user made it: a table, and an ordinary index of it. Nothing is stored differently, and PostgreSQL's own code, which
 * does not read its catalogs with queries, sees what there is. pg_foreign_table has the shards.
 *
 * Likewise psql and pg_dump look for foreign keys only where pg_class.relhastriggers is true, because PostgreSQL enforces its own
 * by triggers. It is shown as true for sharded tables that have foreign keys, or that foreign keys refer to.
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

#include "foreign_key.h"
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

PG_FUNCTION_INFO_V1(kluster_shown_triggers);

Datum
kluster_shown_triggers(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	bool		has_triggers = PG_GETARG_BOOL(1);

	PG_RETURN_BOOL(has_triggers || (kluster_is_sharded(relid) && kluster_foreign_keys_of(relid, 0) != NIL));
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
	Oid			kind_function;	/* InvalidOid: the kind is shown as it is */
	Oid			triggers_function;
} Replacement;

/* The function that shows the column; InvalidOid: it is another one, or shown as it is. */
static Oid
function_for(const Var *column, const Replacement *replacement)
{
	Query	   *query;

	if ((column->varattno != Anum_pg_class_relkind && column->varattno != Anum_pg_class_relhastriggers) ||
		column->varlevelsup >= list_length(replacement->queries))
		return InvalidOid;
	query = list_nth(replacement->queries, column->varlevelsup);
	if (column->varno <= 0 || column->varno > list_length(query->rtable) || !is_catalog(rt_fetch(column->varno, query->rtable)))
		return InvalidOid;
	return column->varattno == Anum_pg_class_relkind ? replacement->kind_function : replacement->triggers_function;
}

static Node *
shown(Var *column, Oid function)
{
	Var		   *relid = makeVar(column->varno, Anum_pg_class_oid, OIDOID, -1, InvalidOid, column->varlevelsup);

	return (Node *) makeFuncExpr(function, column->vartype, list_make2(relid, copyObject(column)), InvalidOid,
								 InvalidOid, COERCE_EXPLICIT_CALL);
}

static Node *
replace_columns(Node *node, void *context)
{
	Replacement *replacement = context;
	Oid			function;

	if (node == NULL)
		return NULL;
	function = IsA(node, Var) ? function_for((Var *) node, replacement) : InvalidOid;
	if (OidIsValid(function))
		return shown((Var *) node, function);
	if (IsA(node, Query))
	{
		Query	   *query;

		replacement->queries = lcons(node, replacement->queries);
		query = query_tree_mutator((Query *) node, replace_columns, context, 0);
		replacement->queries = list_delete_first(replacement->queries);
		return (Node *) query;
	}
	return expression_tree_mutator(node, replace_columns, context);
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
	return show_foreign || kluster_is_dump();
}

/* A database without the extension has no such function, and no sharded tables. */
static Oid
find_function(const char *name, Oid type)
{
	Oid			types[] = {OIDOID, type};

	return LookupFuncName(list_make2(makeString("kluster"), makeString(pstrdup(name))), 2, types, true);
}

static PlannedStmt *
plan(Query *query, const char *text, int options, ParamListInfo parameters)
{
	planner_hook_type next = previous_planner ? previous_planner : standard_planner;

	if (query->commandType == CMD_SELECT && !creating_extension && reads_catalog((Node *) query, NULL))
	{
		Replacement replacement = {.triggers_function = find_function("shown_triggers", BOOLOID)};

		if (!wants_the_truth())
			replacement.kind_function = find_function("shown_kind", CHAROID);
		query = castNode(Query, replace_columns((Node *) query, &replacement));
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
