/*
 * row_identity.c: identifies rows by primary key, by a hidden column, or by
 * everything that is in them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "utils/rel.h"

#include "quote.h"
#include "row_identity.h"

static const char *const row_number_name = "kluster_row_number";
static const char *const whole_row_name = "wholerow";

static char *
key_name(Relation relation, AttrNumber attribute)
{
	return psprintf("kluster_key_%s", NameStr(TupleDescAttr(RelationGetDescr(relation), attribute - 1)->attname));
}

void
kluster_add_row_identity(PlannerInfo *root, Index table, RangeTblEntry *entry, Relation relation)
{
	Oid			id = RelationGetRelid(relation);
	Bitmapset  *keys = kluster_key_columns(id);
	int			key = -1;

	while ((key = bms_next_member(keys, key)) >= 0)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), key - 1);

		add_row_identity_var(root, makeVar(table, column->attnum, column->atttypid, column->atttypmod,
										   column->attcollation, 0),
							 table, key_name(relation, column->attnum));
	}
	if (bms_is_empty(keys) && kluster_table(id)->row_column != NULL)
		add_row_identity_var(root, makeVar(table, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0),
							 table, row_number_name);
	if ((bms_is_empty(keys) && kluster_table(id)->row_column == NULL) ||
		(root->parse->commandType == CMD_DELETE && root->parse->returningList != NIL))
		add_row_identity_var(root, makeVar(table, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0), table, whole_row_name);
}

static void
take_column(KlusterIdentity *identity, Relation relation, AttrNumber attribute)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), attribute - 1);

	identity->attributes[identity->count] = attribute;
	identity->names[identity->count] = kluster_column_name(RelationGetRelid(relation), attribute);
	identity->codecs[identity->count] = kluster_codec(column->atttypid, column->atttypmod);
	identity->count++;
}

static AttrNumber
find_junk(List *targets, const char *name)
{
	AttrNumber	found = ExecFindJunkAttributeInTlist(targets, name);

	if (!AttributeNumberIsValid(found))
		elog(ERROR, "the plan does not deliver \"%s\"", name);
	return found;
}

KlusterIdentity *
kluster_identity(Relation relation, const KlusterTable *table, List *subplan_targets)
{
	KlusterIdentity *identity = palloc0(sizeof(KlusterIdentity));
	TupleDesc	description = RelationGetDescr(relation);
	Bitmapset  *keys = kluster_key_columns(RelationGetRelid(relation));

	identity->description = description;
	identity->attributes = palloc(sizeof(AttrNumber) * (description->natts + 1));
	identity->junk = palloc(sizeof(AttrNumber) * (description->natts + 1));
	identity->names = palloc(sizeof(char *) * (description->natts + 1));
	identity->codecs = palloc(sizeof(KlusterCodec *) * (description->natts + 1));
	identity->whole_row = ExecFindJunkAttributeInTlist(subplan_targets, whole_row_name);
	identity->whole = bms_is_empty(keys) && table->row_column == NULL;
	if (bms_is_empty(keys) && table->row_column != NULL)
	{
		identity->row_column = table->row_column;
		identity->junk[0] = find_junk(subplan_targets, row_number_name);
		return identity;
	}
	if (identity->whole)
		(void) find_junk(subplan_targets, whole_row_name);
	for (AttrNumber attribute = 1; attribute <= description->natts; attribute++)
	{
		if (TupleDescAttr(description, attribute - 1)->attisdropped ||
			(!identity->whole && !bms_is_member(attribute, keys)))
			continue;
		if (!identity->whole)
			identity->junk[identity->count] = find_junk(subplan_targets, key_name(relation, attribute));
		take_column(identity, relation, attribute);
	}
	return identity;
}

static void
append_row_number(StringInfo out, KlusterIdentity *identity, TupleTableSlot *delivered)
{
	bool		is_null;
	ItemPointer row = (ItemPointer) DatumGetPointer(ExecGetJunkAttribute(delivered, identity->junk[0], &is_null));

	if (is_null)
		elog(ERROR, "a row to change has no number");
	kluster_append_identifier(out, identity->row_column);
	appendStringInfo(out, " = " UINT64_FORMAT,
					 ((uint64) ItemPointerGetBlockNumberNoCheck(row) << 16) | ItemPointerGetOffsetNumberNoCheck(row));
}

static void
append_comparison(StringInfo out, KlusterIdentity *identity, int column, Datum value, bool is_null)
{
	bool		is_json = identity->codecs[column]->mapped.form == KLUSTER_ARRAY;

	if (column > 0)
		appendStringInfoString(out, " AND ");
	kluster_append_identifier(out, identity->names[column]);
	if (is_null)
	{
		appendStringInfoString(out, " IS NULL");
		return;
	}
	appendStringInfoString(out, is_json ? " = CAST(" : " = ");
	kluster_append_value(out, identity->codecs[column], value);
	if (is_json)
		appendStringInfoString(out, " AS JSON)");
}

/* Rows that are equal in all columns are interchangeable, so one of them is as good as another. */
static void
append_whole_row(StringInfo out, KlusterIdentity *identity, TupleTableSlot *delivered)
{
	bool		is_null;
	Datum		row = ExecGetJunkAttribute(delivered, identity->whole_row, &is_null);
	HeapTupleHeader header;
	HeapTupleData tuple;

	if (is_null)
		elog(ERROR, "a row to change is not there");
	header = DatumGetHeapTupleHeader(row);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	for (int i = 0; i < identity->count; i++)
	{
		Datum		value = heap_getattr(&tuple, identity->attributes[i], identity->description, &is_null);

		append_comparison(out, identity, i, value, is_null);
	}
	appendStringInfoString(out, identity->count == 0 ? "TRUE LIMIT 1" : " LIMIT 1");
}

void
kluster_append_identity(StringInfo out, KlusterIdentity *identity, TupleTableSlot *delivered)
{
	if (identity->row_column != NULL)
		append_row_number(out, identity, delivered);
	else if (identity->whole)
		append_whole_row(out, identity, delivered);
	else
		for (int i = 0; i < identity->count; i++)
		{
			bool		is_null;
			Datum		value = ExecGetJunkAttribute(delivered, identity->junk[i], &is_null);

			append_comparison(out, identity, i, value, is_null);
		}
}
