/*
 * foreign_key.c: foreign keys between sharded tables, as the catalogs have them.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "nodes/parsenodes.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "foreign_key.h"

static bool
is_foreign_key(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	bool		is = HeapTupleIsValid(tuple) && ((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return is;
}

/* Puts the pairs of columns in the order of the referenced key. */
static void
order_columns(KlusterForeignKey *key, const AttrNumber *columns, const AttrNumber *referenced)
{
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(key->index));
	Form_pg_index index;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "foreign key \"%s\" refers to no key", key->name);
	index = (Form_pg_index) GETSTRUCT(tuple);
	for (int i = 0; i < key->count; i++)
		for (int k = 0; k < key->count; k++)
			if (referenced[k] == index->indkey.values[i])
			{
				key->columns[i] = columns[k];
				key->referenced_columns[i] = referenced[k];
			}
	ReleaseSysCache(tuple);
}

KlusterForeignKey *
kluster_foreign_key(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	KlusterForeignKey *key = palloc0(sizeof(KlusterForeignKey));
	Form_pg_constraint form;
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	referenced[INDEX_MAX_KEYS];

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "there is no constraint %u", constraint);
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	key->constraint = constraint;
	key->name = pstrdup(NameStr(form->conname));
	key->relid = form->conrelid;
	key->referenced = form->confrelid;
	key->index = form->conindid;
	key->on_delete = form->confdeltype;
	key->on_update = form->confupdtype;
	DeconstructFkConstraintRow(tuple, &key->count, columns, referenced, NULL, NULL, NULL, NULL, NULL);
	ReleaseSysCache(tuple);
	key->columns = palloc0(sizeof(AttrNumber) * key->count);
	key->referenced_columns = palloc0(sizeof(AttrNumber) * key->count);
	order_columns(key, columns, referenced);
	key->written = palloc(sizeof(AttrNumber) * key->count);
	memcpy(key->written, columns, sizeof(AttrNumber) * key->count);
	return key;
}

/* A foreign key depends on the columns of both tables. */
List *
kluster_foreign_keys_of(Oid relid, AttrNumber column)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *found = NIL;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(column));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, column == 0 ? 2 : 3, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == ConstraintRelationId && is_foreign_key(form->objid))
			found = list_append_unique_oid(found, form->objid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	/* In an order that each look gives. */
	list_sort(found, list_oid_cmp);
	return found;
}

List *
kluster_all_foreign_keys(void)
{
	Relation	catalog = table_open(ConstraintRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	List	   *found = NIL;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		if (((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN)
			found = lappend_oid(found, ((Form_pg_constraint) GETSTRUCT(tuple))->oid);
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

bool
kluster_sets_columns(const KlusterForeignKey *key)
{
	return key->on_delete == FKCONSTR_ACTION_SETNULL || key->on_update == FKCONSTR_ACTION_SETNULL ||
		key->on_update == FKCONSTR_ACTION_CASCADE;
}

void
kluster_check_unlinked(Oid relid, const char *what)
{
	if (kluster_foreign_keys_of(relid, 0) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" cannot %s, because foreign keys link it to others or to itself", get_rel_name(relid), what),
				 errhint("Drop them first.")));
}
