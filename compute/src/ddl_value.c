/*
 * ddl_value.c: default values as MySQL literals.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"

#include "ddl_value.h"
#include "value.h"

Node *
kluster_column_default(Relation relation, AttrNumber number)
{
	return build_column_default(relation, number);
}

bool
kluster_is_volatile(Node *expression)
{
	return expression != NULL && contain_volatile_functions(expression);
}

char *
kluster_constant_literal(Node *expression)
{
	EState	   *estate;
	ExprState  *state;
	Datum		value;
	bool		is_null;
	char	   *literal = NULL;

	if (expression == NULL || kluster_is_volatile(expression))
		return NULL;
	estate = CreateExecutorState();
	state = ExecPrepareExpr((Expr *) expression, estate);
	value = ExecEvalExprSwitchContext(state, GetPerTupleExprContext(estate), &is_null);
	if (!is_null)
	{
		StringInfoData out;

		initStringInfo(&out);
		kluster_append_value(&out, kluster_codec(exprType(expression), exprTypmod(expression)), value);
		literal = out.data;
	}
	FreeExecutorState(estate);
	return literal;
}
