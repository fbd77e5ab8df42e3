/*
 * sequence_store.c: which sequence of this database is which of the cluster.
 *
 * OIDs differ between compute nodes, and names change. So a sequence is known by
 * the transaction that created it (the token of its entry in the log) and its name at that time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_sequence.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "ddl_work.h"
#include "sequence_store.h"

/* Relations that the definition in progress has created. */
static List *noted = NIL;

/* Runs a statement about kluster.sequences, as the extension's owner; the first value, NULL without rows. */
static char *
access_store(const char *sql, Oid relid, const char *key)
{
	Oid			types[2] = {OIDOID, TEXTOID};
	Datum		values[2] = {ObjectIdGetDatum(relid), key == NULL ? (Datum) 0 : CStringGetTextDatum(key)};
	MemoryContext caller = CurrentMemoryContext;
	char	   *found = NULL;
	Oid			user;
	int			context;
	int			result;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, context | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	result = SPI_execute_with_args(sql, key == NULL ? 1 : 2, types, values, NULL, false, 0);
	if (result == SPI_OK_SELECT && SPI_processed > 0)
		found = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	else if (result != SPI_OK_SELECT && result != SPI_OK_INSERT)
		elog(ERROR, "cannot access kluster.sequences");
	SPI_finish();
	PopActiveSnapshot();
	SetUserIdAndSecContext(user, context);
	return found;
}

static char *
stored_key(Oid relid)
{
	return access_store("SELECT id FROM kluster.sequences WHERE relid = $1", relid, NULL);
}

bool
kluster_is_shared_sequence(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_SEQUENCE && get_rel_persistence(relid) != RELPERSISTENCE_TEMP &&
		stored_key(relid) != NULL;
}

KlusterSequence
kluster_read_sequence(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(relid));
	Form_pg_sequence form;
	KlusterSequence sequence;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for sequence %u", relid);
	form = (Form_pg_sequence) GETSTRUCT(tuple);
	sequence.relid = relid;
	sequence.label = get_rel_name(relid);
	sequence.key = stored_key(relid);
	sequence.start = form->seqstart;
	sequence.increment = form->seqincrement;
	sequence.minimum = form->seqmin;
	sequence.maximum = form->seqmax;
	sequence.cycles = form->seqcycle;
	ReleaseSysCache(tuple);
	if (sequence.key == NULL)
		elog(ERROR, "sequence \"%s\" is not one of the cluster", sequence.label);
	return sequence;
}

void
kluster_local_position(Oid relid, int64 *value, bool *called)
{
	char	   *name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
	char	   *found = access_store(psprintf("SELECT is_called || ' ' || last_value FROM %s WHERE $1 IS NOT NULL", name), relid, NULL);

	*called = found != NULL && found[0] == 't';
	*value = found == NULL ? 0 : strtoll(strchr(found, ' '), NULL, 10);
}

void
kluster_forbid_cache(Oid relid)
{
	Relation	catalog = table_open(SequenceRelationId, RowExclusiveLock);
	HeapTuple	tuple = SearchSysCacheCopy1(SEQRELID, ObjectIdGetDatum(relid));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for sequence %u", relid);
	if (((Form_pg_sequence) GETSTRUCT(tuple))->seqcache != 1)
	{
		((Form_pg_sequence) GETSTRUCT(tuple))->seqcache = 1;
		CatalogTupleUpdate(catalog, &tuple->t_self, tuple);
	}
	heap_freetuple(tuple);
	table_close(catalog, RowExclusiveLock);
}

void
kluster_note_creation(Oid relid)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

	noted = lappend_oid(noted, relid);
	MemoryContextSwitchTo(caller);
}

void
kluster_forget_creations(void)
{
	noted = NIL;
}

void
kluster_sequences_defined(void)
{
	List	   *created = noted;
	ListCell   *cell;

	noted = NIL;
	if (created == NIL)
		return;
	CommandCounterIncrement();
	foreach(cell, created)
	{
		Oid			relid = lfirst_oid(cell);

		if (get_rel_relkind(relid) != RELKIND_SEQUENCE || get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
			continue;
		(void) access_store("INSERT INTO kluster.sequences (relid, id) VALUES ($1, $2)"
							" ON CONFLICT (relid) DO UPDATE SET id = EXCLUDED.id",
							relid, psprintf(UINT64_FORMAT ".%s.%s", kluster_work_token(),
											get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid)));
		kluster_forbid_cache(relid);
	}
}
