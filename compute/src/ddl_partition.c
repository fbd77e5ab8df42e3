/*
 * ddl_partition.c: rows of foreign tables against constraints.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"

#include "ddl_partition.h"
#include "table_shape.h"

/* Is there a row that does not satisfy the condition? */
static bool
violates(Oid relid, const char *condition)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
	bool		found;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	if (SPI_execute(psprintf("SELECT 1 FROM %s WHERE NOT (%s) LIMIT 1", name, condition), true, 1) != SPI_OK_SELECT)
		elog(ERROR, "cannot read \"%s\"", get_rel_name(relid));
	found = SPI_processed > 0;
	SPI_finish();
	PopActiveSnapshot();
	return found;
}

static char *
partition_condition(Oid partition)
{
	return pg_get_partconstrdef_string(partition, pstrdup(quote_identifier(get_rel_name(partition))));
}

void
kluster_check_default_partition(Oid parent, Oid added)
{
	Oid			partition = get_default_partition_oid(parent);
	char	   *condition;

	if (!OidIsValid(partition) || partition == added || !kluster_is_sharded(partition))
		return;
	condition = partition_condition(partition);
	if (condition != NULL && violates(partition, condition))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("updated partition constraint for default partition \"%s\" would be violated by some row",
						get_rel_name(partition))));
}

void
kluster_check_partition(Oid partition)
{
	char	   *condition;

	if (!kluster_is_sharded(partition))
		return;
	condition = partition_condition(partition);
	if (condition != NULL && violates(partition, condition))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("partition constraint of relation \"%s\" is violated by some row", get_rel_name(partition))));
}

void
kluster_check_constraint(Oid relid, const char *constraint)
{
	Oid			oid = get_relation_constraint_oid(relid, constraint, true);
	Relation	relation;
	char	   *definition;
	char	   *suffix;

	if (!OidIsValid(oid) || !kluster_is_sharded(relid))
		return;
	definition = TextDatumGetCString(DirectFunctionCall1(pg_get_constraintdef, ObjectIdGetDatum(oid)));
	if (strncmp(definition, "CHECK ", strlen("CHECK ")) != 0)
		return;
	if ((suffix = strstr(definition, ") NO INHERIT")) != NULL || (suffix = strstr(definition, ") NOT VALID")) != NULL)
		suffix[1] = '\0';
	if (!violates(relid, definition + strlen("CHECK ")))
		return;
	relation = relation_open(relid, NoLock);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("check constraint \"%s\" of relation \"%s\" is violated by some row", constraint,
					RelationGetRelationName(relation)),
			 errtableconstraint(relation, constraint)));
}
