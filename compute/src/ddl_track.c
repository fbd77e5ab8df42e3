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
#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "ddl_applied.h"
#include "ddl_settings.h"
#include "ddl_shards.h"
#include "ddl_track.h"
#include "sequence_store.h"
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

static void
settle_table(const Tracked *entry)
{
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry->relid)))
		return;
	if (entry->before == NULL)
		kluster_create_at_shards(kluster_read_shape(entry->relid));
	else
		kluster_alter_at_shards(entry->before, kluster_read_shape(entry->relid));
}

void
kluster_track_settle(void)
{
	/* The last change in the catalogs is not seen before that. */
	CommandCounterIncrement();
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

static void
see_access(ObjectAccessType access, Oid class, Oid object, int column, void *argument)
{
	if (previous_hook)
		previous_hook(access, class, object, column, argument);
	if (access == OAT_POST_CREATE && class == RelationRelationId && column == 0 && depth > 0 && !kluster_local_ddl)
		kluster_note_creation(object);
	if (access == OAT_DROP && class == RelationRelationId && is_tracking())
		note_drop(object, column);
}

void
kluster_track_init(void)
{
	previous_hook = object_access_hook;
	object_access_hook = see_access;
}
