/*
 * sequence_support.c: makes nextval() and setval() the cluster's.
 *
 * The extension attaches a support function to PostgreSQL's nextval() and
 * setval(). It is asked whenever an expression with them is simplified before it is executed: in
 * queries, column defaults, COPY, PL/pgSQL, and bodies of SQL functions. Its
 * answer is a call of kluster.nextval(). Identity columns call no function, so their
 * expression is replaced in the planner's hook. Catalogs, \d and dumps show nextval().
 * All of them are replaced, also before this compute node knows its cluster: a plan outlives that.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/planner.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"

#include "sequence.h"
#include "sequence_support.h"
#include "shown_kind.h"

PG_FUNCTION_INFO_V1(kluster_nextval_support);

static planner_hook_type previous_planner = NULL;

static Oid
function_named(const char *name, int arguments)
{
	static const Oid types[] = {REGCLASSOID, INT8OID, BOOLOID};

	return LookupFuncName(list_make2(makeString("kluster"), makeString(pstrdup(name))), arguments, types, true);
}

/* What is called instead; InvalidOid: nothing. */
static Oid
replacement_of(Oid function)
{
	switch (function)
	{
		case F_NEXTVAL:
			return function_named("nextval", 1);
		case F_SETVAL_REGCLASS_INT8:
			return function_named("setval", 2);
		case F_SETVAL_REGCLASS_INT8_BOOL:
			return function_named("setval", 3);
		default:
			return InvalidOid;
	}
}

Datum
kluster_nextval_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	FuncExpr   *call;
	Oid			replacement;

	if (!IsA(request, SupportRequestSimplify))
		PG_RETURN_POINTER(NULL);
	call = ((SupportRequestSimplify *) request)->fcall;
	replacement = replacement_of(call->funcid);
	if (!OidIsValid(replacement))
		PG_RETURN_POINTER(NULL);
	call = copyObject(call);
	call->funcid = replacement;
	PG_RETURN_POINTER(call);
}

static Node *
identity_call(const NextValueExpr *expression)
{
	Oid			function = function_named("nextval_identity", 1);
	Const	   *sequence = makeConst(REGCLASSOID, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(expression->seqid), false, true);
	FuncExpr   *call = makeFuncExpr(function, INT8OID, list_make1(sequence), InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);

	if (expression->typeId == INT4OID)
		return (Node *) makeFuncExpr(F_INT4_INT8, INT4OID, list_make1(call), InvalidOid, InvalidOid, COERCE_IMPLICIT_CAST);
	if (expression->typeId == INT2OID)
		return (Node *) makeFuncExpr(F_INT2_INT8, INT2OID, list_make1(call), InvalidOid, InvalidOid, COERCE_IMPLICIT_CAST);
	return (Node *) call;
}

static Node *
replace_identities(Node *node, void *argument)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, NextValueExpr))
		return identity_call((NextValueExpr *) node);
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, replace_identities, argument, 0);
	return expression_tree_mutator(node, replace_identities, argument);
}

static bool
has_identities(Node *node, void *argument)
{
	if (node == NULL)
		return false;
	if (IsA(node, NextValueExpr))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, has_identities, argument, 0);
	return expression_tree_walker(node, has_identities, argument);
}

/* What a dump reads of sequences. */
static void
prepare_dump(const Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_RELATION && entry->relkind == RELKIND_SEQUENCE)
			kluster_sequence_dumped(entry->relid);
	}
}

static PlannedStmt *
plan(Query *query, const char *source, int options, ParamListInfo parameters)
{
	planner_hook_type next = previous_planner ? previous_planner : standard_planner;

	if ((query->commandType == CMD_INSERT || query->commandType == CMD_MERGE || query->hasModifyingCTE) &&
		has_identities((Node *) query, NULL) && OidIsValid(function_named("nextval_identity", 1)))
		query = castNode(Query, replace_identities((Node *) query, NULL));
	if (query->commandType == CMD_SELECT && kluster_is_dump())
		prepare_dump(query);
	return next(query, source, options, parameters);
}

void
kluster_sequence_support_init(void)
{
	previous_planner = planner_hook;
	planner_hook = plan;
}
