/*
 * sequence.c: sequences whose values no two compute nodes give out.
 *
 * A sequence is an ordinary sequence on every compute node. Values are
 * reserved in blocks at the metadata server (table kluster_shared_sequences: what is next for
 * the cluster); within its block a compute node counts with its own sequence,
 * so nextval() costs little more than in PostgreSQL, and currval(), lastval() and
 * SELECT last_value work as they are. What is left of a block at a restart is
 * lost: a gap, as PostgreSQL has them too.
 *
 * nextval() and setval() become the functions here where PostgreSQL simplifies
 * expressions (sequence_support.c).
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "ddl_applied.h"
#include "ddl_replay.h"
#include "ddl_settings.h"
#include "ddl_work.h"
#include "sequence.h"
#include "sequence_block.h"
#include "sequence_store.h"
#include "sequence_support.h"
#include "table_shape.h"

/* Of the lock of a sequence. */
#define LOCK_CLASS 8

PG_FUNCTION_INFO_V1(kluster_nextval);
PG_FUNCTION_INFO_V1(kluster_nextval_identity);
PG_FUNCTION_INFO_V1(kluster_setval);
PG_FUNCTION_INFO_V1(kluster_setval_called);

/*
 * The lock of a sequence on this compute node: shared to draw a value, exclusive to change what can be drawn. PostgreSQL's
 * sequence and the block change together so. The lock of the relation comes first, as nextval() takes it itself: whoever
 * changes the sequence by ALTER SEQUENCE has that alone, until the transaction ends.
 */
static void
lock_sequence(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;

	LockRelationOid(relid, RowExclusiveLock);
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relid, 0, LOCK_CLASS);
	(void) LockAcquire(&tag, mode, false, false);
}

/* An error leaves that to PostgreSQL. */
static void
unlock_sequence(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relid, 0, LOCK_CLASS);
	LockRelease(&tag, mode, false);
}

/* Sets this compute node's sequence. */
static void
set_local(Oid relid, int64 value, bool called)
{
	(void) DirectFunctionCall3(setval3_oid, ObjectIdGetDatum(relid), Int64GetDatum(value), BoolGetDatum(called));
}

/*
 * The same without asking for the permission for setval(): whoever may call nextval() may cause that.
 */
static void
move_local(Oid relid, int64 value, bool called)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	set_local(relid, value, called);
	SetUserIdAndSecContext(user, context);
}

/* The next value within this compute node's block; false when there is none. */
static bool
next_in_block(Oid relid, bool check_permissions, int64 *value)
{
	bool		taken;

	if (!kluster_has_block(relid))
		return false;
	lock_sequence(relid, ShareLock);
	taken = kluster_take_from_block(relid);
	if (taken)
		*value = nextval_internal(relid, check_permissions);
	unlock_sequence(relid, ShareLock);
	return taken;
}

static int64
next_of_new_block(Oid relid, bool check_permissions)
{
	int64		value;

	lock_sequence(relid, ExclusiveLock);
	/* Somebody else may have reserved one meanwhile. */
	if (!kluster_take_from_block(relid))
	{
		KlusterSequence sequence = kluster_read_sequence(relid);
		KlusterBlock block = kluster_reserve_block(&sequence, kluster_sequence_block);

		move_local(relid, block.first, false);
		block.count--;
		kluster_keep_block(relid, &block);
	}
	value = nextval_internal(relid, check_permissions);
	unlock_sequence(relid, ExclusiveLock);
	return value;
}

static int64
next_value(Oid relid, bool check_permissions)
{
	int64		value;

	if (check_permissions && get_rel_relkind(relid) == RELKIND_SEQUENCE &&
		pg_class_aclcheck(relid, GetUserId(), ACL_USAGE | ACL_UPDATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for sequence %s", get_rel_name(relid))));
	if (next_in_block(relid, check_permissions, &value))
		return value;
	if (kluster_work_restarts(relid) || !kluster_is_shared_sequence(relid))
		return nextval_internal(relid, check_permissions);
	PreventCommandIfReadOnly("nextval()");
	return next_of_new_block(relid, check_permissions);
}

Datum
kluster_nextval(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(next_value(PG_GETARG_OID(0), true));
}

/* For columns GENERATED ... AS IDENTITY: whoever may INSERT needs no right on their sequence. */
Datum
kluster_nextval_identity(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Oid			table;
	int32		column;

	if (!sequenceIsOwned(relid, DEPENDENCY_INTERNAL, &table, &column))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("not the sequence of an identity column")));
	if (pg_class_aclcheck(table, GetUserId(), ACL_INSERT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(table, GetUserId(), ACL_INSERT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	PG_RETURN_INT64(next_value(relid, false));
}

/* The others have to forget their blocks, so they follow a definition. */
static void
log_restart(Oid relid, const char *clause)
{
	KlusterLogEntry entry = {.object_name = get_rel_name(relid), .object_type = "seq", .operation = "alter"};

	entry.schema = get_namespace_name(get_rel_namespace(relid));
	entry.source = psprintf("ALTER SEQUENCE %s RESTART%s", quote_qualified_identifier(entry.schema, entry.object_name), clause);
	kluster_work_log(&entry);
}

static void
set_value(Oid relid, int64 value, bool called)
{
	KlusterSequence sequence;

	if (kluster_work_restarts(relid) || !kluster_is_shared_sequence(relid))
	{
		set_local(relid, value, called);
		return;
	}
	if (pg_class_aclcheck(relid, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for sequence %s", get_rel_name(relid))));
	PreventCommandIfReadOnly("setval()");
	kluster_work_begin();
	lock_sequence(relid, ExclusiveLock);
	sequence = kluster_read_sequence(relid);
	/* First, so that an error below leaves nothing that could be given twice. */
	kluster_forget_block(relid);
	set_local(relid, value, called);
	kluster_store_position(&sequence, value, called);
	unlock_sequence(relid, ExclusiveLock);
	log_restart(relid, psprintf(" WITH " INT64_FORMAT, value));
}

Datum
kluster_setval(PG_FUNCTION_ARGS)
{
	set_value(PG_GETARG_OID(0), PG_GETARG_INT64(1), true);
	PG_RETURN_INT64(PG_GETARG_INT64(1));
}

Datum
kluster_setval_called(PG_FUNCTION_ARGS)
{
	set_value(PG_GETARG_OID(0), PG_GETARG_INT64(1), PG_GETARG_BOOL(2));
	PG_RETURN_INT64(PG_GETARG_INT64(1));
}

static bool
has_option(const AlterSeqStmt *statement, const char *name)
{
	ListCell   *cell;

	foreach(cell, statement->options)
		if (strcmp(lfirst_node(DefElem, cell)->defname, name) == 0)
			return true;
	return false;
}

/* Takes this compute node's sequence to where the cluster is. */
static void
catch_up_with_cluster(Oid relid)
{
	KlusterSequence sequence;
	int64		value;
	bool		given;

	lock_sequence(relid, ExclusiveLock);
	sequence = kluster_read_sequence(relid);
	kluster_forget_block(relid);
	if (kluster_read_position(&sequence, &value, &given))
		move_local(relid, value, given);
	unlock_sequence(relid, ExclusiveLock);
}

void
kluster_sequence_dumped(Oid relid)
{
	bool		read_only = XactReadOnly;

	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK || !kluster_is_shared_sequence(relid))
		return;
	/* A dump is one, and no value of the cluster changes. */
	XactReadOnly = false;
	PG_TRY();
	{
		catch_up_with_cluster(relid);
	}
	PG_FINALLY();
	{
		XactReadOnly = read_only;
	}
	PG_END_TRY();
}

/*
 * Drawing moves the position of the cluster at once, also when the change is rolled back: in the other direction, values that
 * were given would come again.
 */
static void
refuse_turning(const AlterSeqStmt *statement, Oid relid)
{
	KlusterSequence sequence = kluster_read_sequence(relid);
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "increment") == 0 && (defGetInt64(option) > 0) != (sequence.increment > 0) &&
			IsTransactionBlock())
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the direction of sequence \"%s\" cannot be changed in a transaction block", sequence.label),
					 errhint("Execute it on its own, or with RESTART.")));
	}
}

/* START alone tells where RESTART leads, it does not move a sequence. */
static void
keep_beginning(Oid relid)
{
	KlusterSequence sequence = kluster_read_sequence(relid);

	kluster_store_beginning(&sequence);
}

/*
 * PostgreSQL refuses bounds that the last value is not within. Where others defined them that has been decided, and it
 * does not matter where this compute node has counted to.
 */
void
kluster_adapt_sequence_change(AlterSeqStmt *statement)
{
	Oid			relid = RangeVarGetRelid(statement->sequence, NoLock, true);

	if (!OidIsValid(relid) || !kluster_is_shared_sequence(relid) || has_option(statement, "restart") ||
		has_option(statement, "owned_by"))
		return;
	if (kluster_replaying())
		statement->options = lappend(statement->options, makeDefElem("restart", NULL, -1));
	else if (pg_class_ownercheck(relid, GetUserId()))
	{
		refuse_turning(statement, relid);
		if (has_option(statement, "start"))
			keep_beginning(relid);
		if (has_option(statement, "minvalue") || has_option(statement, "maxvalue"))
			catch_up_with_cluster(relid);
	}
}

void
kluster_sequence_altered(const AlterSeqStmt *statement)
{
	Oid			relid = RangeVarGetRelid(statement->sequence, NoLock, true);

	if (!OidIsValid(relid) || !kluster_is_shared_sequence(relid))
		return;
	kluster_forget_block(relid);
	CommandCounterIncrement();
	kluster_forbid_cache(relid);
	if (!kluster_replaying() && has_option(statement, "restart"))
		kluster_work_restart(relid);
}

char *
kluster_sequence_position(Oid relid)
{
	KlusterSequence sequence;
	int64		value;
	bool		called;

	if (!kluster_is_shared_sequence(relid))
		return NULL;
	sequence = kluster_read_sequence(relid);
	kluster_local_position(relid, &value, &called);
	return kluster_position_text(&sequence, value, called);
}

static void
restart_of_table(Oid table)
{
	ListCell   *cell;

	foreach(cell, getOwnedSequences(table))
	{
		Oid			relid = lfirst_oid(cell);

		if (!kluster_is_shared_sequence(relid))
			continue;
		kluster_work_restart(relid);
		kluster_forget_block(relid);
		log_restart(relid, "");
	}
}

void
kluster_identities_restarted(List *relations)
{
	ListCell   *cell;

	foreach(cell, relations)
		restart_of_table(RangeVarGetRelid(lfirst_node(RangeVar, cell), NoLock, false));
}

static bool
is_named(const CopyStmt *statement, const char *column)
{
	ListCell   *cell;

	if (statement->attlist == NIL)
		return true;
	foreach(cell, statement->attlist)
		if (strcmp(strVal(lfirst(cell)), column) == 0)
			return true;
	return false;
}

/* The identity columns that the COPY at hand does not name, of `copied`. */
static Oid	copied = InvalidOid;
static Bitmapset *left_out = NULL;

/* Whatever looks at a row before it is stored would see a value that it will not have. */
static void
require_simple(Relation relation, const char *column)
{
	TriggerDesc *triggers = relation->trigdesc;

	if (relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE &&
		(triggers == NULL || !(triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("COPY into \"%s\" without its identity column \"%s\" is not supported",
					RelationGetRelationName(relation), column),
			 errdetail("The table is partitioned, or has row triggers."),
			 errhint("COPY into a table without it, then INSERT ... SELECT; or use a column of type serial.")));
}

void
kluster_note_copy(const CopyStmt *statement)
{
	Oid			relid = statement->relation == NULL ? InvalidOid : RangeVarGetRelid(statement->relation, NoLock, true);
	MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
	Relation	relation;

	bms_free(left_out);
	left_out = NULL;
	MemoryContextSwitchTo(caller);
	copied = relid;
	if (!statement->is_from || !OidIsValid(relid) || get_rel_persistence(relid) == RELPERSISTENCE_TEMP || !kluster_can_follow())
		return;
	relation = relation_open(relid, AccessShareLock);
	/* PostgreSQL's own tables number their rows as ever. */
	for (int i = 0; relation->rd_rel->relkind != RELKIND_RELATION && i < RelationGetDescr(relation)->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), i);

		if (attribute->attidentity == '\0' || attribute->attisdropped || is_named(statement, NameStr(attribute->attname)))
			continue;
		require_simple(relation, NameStr(attribute->attname));
		caller = MemoryContextSwitchTo(TopMemoryContext);
		left_out = bms_add_member(left_out, attribute->attnum);
		MemoryContextSwitchTo(caller);
	}
	relation_close(relation, AccessShareLock);
}

Bitmapset *
kluster_copied_identities(Oid relid)
{
	return relid == copied ? bms_copy(left_out) : NULL;
}

void
kluster_set_identities(Relation relation, Bitmapset *columns, TupleTableSlot *row)
{
	int			column = -1;

	while ((column = bms_next_member(columns, column)) >= 0)
	{
		Oid			sequence = getIdentitySequence(RelationGetRelid(relation), (AttrNumber) column, false);
		int64		value = next_value(sequence, false);

		switch (TupleDescAttr(RelationGetDescr(relation), column - 1)->atttypid)
		{
			case INT2OID:
				row->tts_values[column - 1] = Int16GetDatum((int16) value);
				break;
			case INT4OID:
				row->tts_values[column - 1] = Int32GetDatum((int32) value);
				break;
			default:
				row->tts_values[column - 1] = Int64GetDatum(value);
				break;
		}
	}
}

void
kluster_sequence_init(void)
{
	kluster_sequence_block_init();
	kluster_sequence_support_init();
}
