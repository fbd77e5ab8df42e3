/*
 * ddl_drop.c: DROP TABLE where some of the tables are sharded.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

#include "ddl_drop.h"
#include "table_shape.h"

bool
kluster_names_sharded(const DropStmt *statement)
{
	ListCell   *cell;

	if (statement->removeType != OBJECT_TABLE)
		return false;
	foreach(cell, statement->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList(lfirst(cell));
		Oid			relid = RangeVarGetRelid(name, NoLock, true);

		if (OidIsValid(relid) && kluster_is_sharded(relid))
			return true;
	}
	return false;
}

static void
check_allowed(const RangeVar *name, Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE && !kluster_is_sharded(relid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", name->relname)));
	if (!pg_class_ownercheck(relid, GetUserId()) && !pg_namespace_ownercheck(get_rel_namespace(relid), GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relkind), name->relname);
	if (IsCatalogRelationOid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied: \"%s\" is a system catalog", name->relname)));
}

static void
report_missing(const RangeVar *name, bool missing_ok)
{
	if (!missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" does not exist", name->relname)));
	ereport(NOTICE,
			(errmsg("table \"%s\" does not exist, skipping", name->relname)));
}

void
kluster_drop_tables(const DropStmt *statement)
{
	ObjectAddresses *objects = new_object_addresses();
	ListCell   *cell;

	foreach(cell, statement->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList(lfirst(cell));
		Oid			relid = RangeVarGetRelid(name, AccessExclusiveLock, true);
		ObjectAddress address;

		if (!OidIsValid(relid))
		{
			report_missing(name, statement->missing_ok);
			continue;
		}
		check_allowed(name, relid);
		ObjectAddressSet(address, RelationRelationId, relid);
		add_exact_object_address(&address, objects);
	}
	performMultipleDeletions(objects, statement->behavior, 0);
	free_object_addresses(objects);
}
