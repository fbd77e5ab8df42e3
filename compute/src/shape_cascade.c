/*
 * shape_cascade.c: what MySQL changes by itself must not concern what only the compute node knows.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "shape_cascade.h"

static void
refuse(const KlusterForeignKey *key, AttrNumber column, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("foreign key \"%s\" cannot set column \"%s\", because %s", key->name,
					get_attname(key->relid, column, false), reason),
			 errdetail("ON DELETE SET NULL, ON UPDATE CASCADE and ON UPDATE SET NULL happen on the shard, where nothing else is known of the column.")));
}

static void
check_expression(const KlusterForeignKey *key, const char *text, const char *reason)
{
	Bitmapset  *used = NULL;

	pull_varattnos(stringToNode(text), 1, &used);
	for (int i = 0; i < key->count; i++)
		if (bms_is_member(key->columns[i] - FirstLowInvalidHeapAttributeNumber, used) ||
			bms_is_member(-FirstLowInvalidHeapAttributeNumber, used))
			refuse(key, key->columns[i], reason);
}

static void
check_expressions(const KlusterForeignKey *key, TupleDesc descriptor)
{
	TupleConstr *constraints = descriptor->constr;

	if (constraints == NULL)
		return;
	for (int i = 0; i < constraints->num_check; i++)
		check_expression(key, constraints->check[i].ccbin, "a CHECK constraint is about it");
	for (int i = 0; i < constraints->num_defval; i++)
		if (TupleDescAttr(descriptor, constraints->defval[i].adnum - 1)->attgenerated != '\0')
			check_expression(key, constraints->defval[i].adbin, "a generated column depends on it");
}

void
kluster_check_cascades(const KlusterForeignKey *key)
{
	bool		nullifies = key->on_delete == FKCONSTR_ACTION_SETNULL || key->on_update == FKCONSTR_ACTION_SETNULL;
	Relation	relation;

	if (!kluster_sets_columns(key))
		return;
	relation = relation_open(key->relid, NoLock);
	check_expressions(key, RelationGetDescr(relation));
	for (int i = 0; i < key->count; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), key->columns[i] - 1);

		if (get_typtype(column->atttypid) == TYPTYPE_DOMAIN)
			refuse(key, column->attnum, "its type is a domain");
		if (nullifies && column->attnotnull)
			refuse(key, column->attnum, "it cannot be NULL");
	}
	relation_close(relation, NoLock);
}
