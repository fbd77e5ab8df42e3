/*
 * ddl_track.c: which sharded tables a statement creates, changes and drops.
 *
 * Drops are seen where PostgreSQL deletes the catalog entry, so it does not
 * matter whether the table was named, or went with its schema or owner.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "ddl_applied.h"
#include "ddl_settings.h"
#include "ddl_shards.h"
#include "ddl_track.h"
#include "sequence_store.h"
#include "shape_foreign_key.h"
#include "table_shape.h"

typedef struct Tracked
{
	Oid			relid;
	KlusterTableShape *before;	/* NULL: created by the statement */
} Tracked;

static int	depth = 0;
static List *tracked = NIL;
static MemoryContext context = NULL;
static object_access_hook_type previous_hook = NULL;

void
kluster_track_begin(void)
{
	if (depth++ > 0)
		return;
	tracked = NIL;
	kluster_forget_creations();
	context = AllocSetContextCreate(TopTransactionContext, "kluster statement", ALLOCSET_SMALL_SIZES);
}

static bool
is_tracking(void)
{
	return depth > 0 && !kluster_replaying() && !kluster_local_ddl;
}

static bool
is_tracked(Oid relid)
{
	ListCell   *cell;

	foreach(cell, tracked)
		if (((Tracked *) lfirst(cell))->relid == relid)
			return true;
	return false;
}

static void
track(Oid relid, bool created)
{
	MemoryContext caller;
	Tracked    *entry;

	if (!is_tracking() || is_tracked(relid) || !kluster_is_managed(relid))
		return;
	caller = MemoryContextSwitchTo(context);
	entry = palloc(sizeof(Tracked));
	entry->relid = relid;
	entry->before = created ? NULL : kluster_read_shape(relid);
	tracked = lappend(tracked, entry);
	MemoryContextSwitchTo(caller);
}

void
kluster_track_change(Oid relid)
{
	track(relid, false);
}

void
kluster_track_change_of_all(Oid relid)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
		kluster_track_change(lfirst_oid(cell));
}

void
kluster_track_creation(Oid relid)
{
	track(relid, true);
}

static bool
exists(const Tracked *entry)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry->relid));
}

/*
 * Foreign keys that are dropped go before anything else: they hold on to keys and columns of other tables. Those of a dropped
 * table, which goes at the commit, go now if they can: what follows in the transaction must not see them.
 */
static void
drop_foreign_keys(Tracked *entry)
{
	KlusterTableShape *rest;

	if (entry->before == NULL || entry->before->foreign_key_count == 0)
		return;
	if (exists(entry))
		rest = kluster_common_foreign_keys(entry->before, kluster_read_shape(entry->relid));
	else if (!kluster_is_shard_in_use(entry->before))
		rest = kluster_without_references(entry->before);
	else
		return;
	kluster_alter_at_shards(entry->before, rest);
	entry->before = rest;
}

/* New foreign keys come last: MySQL must have the keys that they refer to, which may be in the same table. */
static void
settle_table(const Tracked *entry)
{
	KlusterTableShape *after;
	KlusterTableShape *between;

	if (!exists(entry))
		return;
	after = kluster_read_shape(entry->relid);
	if (entry->before == NULL)
	{
		kluster_create_at_shards(after);
		return;
	}
	between = kluster_common_foreign_keys(after, entry->before);
	kluster_alter_at_shards(entry->before, between);
	kluster_alter_at_shards(between, after);
}

void
kluster_track_settle(void)
{
	ListCell   *cell;

	/* The last change in the catalogs is not seen before that. */
	CommandCounterIncrement();
	foreach(cell, tracked)
		drop_foreign_keys(lfirst(cell));
	while (tracked != NIL)
	{
		settle_table(linitial(tracked));
		tracked = list_delete_first(tracked);
	}
}

void
kluster_track_end(bool failed)
{
	if (--depth > 0)
		return;
	if (!failed)
		kluster_track_settle();
	tracked = NIL;
	MemoryContextDelete(context);
	context = NULL;
}

static void
note_drop(Oid relid, int column)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind == RELKIND_PARTITIONED_INDEX)
		kluster_track_change(IndexGetRelation(relid, true));
	else if (relkind != RELKIND_FOREIGN_TABLE || !kluster_is_managed(relid))
		return;
	else if (column != 0)
		kluster_track_change(relid);
	else
		kluster_drop_at_shards(kluster_read_place(relid));
}

/* A foreign key may go with the table, the column or the key that it refers to. */
static void
note_constraint_drop(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Oid			relid = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		return;
	if (((Form_pg_constraint) GETSTRUCT(tuple))->contype == CONSTRAINT_FOREIGN)
		relid = ((Form_pg_constraint) GETSTRUCT(tuple))->conrelid;
	ReleaseSysCache(tuple);
	if (OidIsValid(relid))
		kluster_track_change(relid);
}

static void
see_access(ObjectAccessType access, Oid class, Oid object, int column, void *argument)
{
	if (previous_hook)
		previous_hook(access, class, object, column, argument);
	if (access == OAT_POST_CREATE && class == RelationRelationId && column == 0 && depth > 0 && !kluster_local_ddl)
		kluster_note_creation(object);
	if (access == OAT_DROP && class == RelationRelationId && is_tracking())
		note_drop(object, column);
	if (access == OAT_DROP && class == ConstraintRelationId && is_tracking())
		note_constraint_drop(object);
}

void
kluster_track_init(void)
{
	previous_hook = object_access_hook;
	object_access_hook = see_access;
}
