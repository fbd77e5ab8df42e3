/*
 * ddl_foreign_key.c: FOREIGN KEY and REFERENCES of sharded tables.
 *
 * PostgreSQL makes foreign keys of ordinary tables only. Ours are entries of the catalogs alone (foreign_key.h); the checks
 * are PostgreSQL's, with its SQLSTATEs, and those of what InnoDB can enforce.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_opclass.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "ddl_applied.h"
#include "ddl_foreign_key.h"
#include "ddl_settings.h"
#include "ddl_track.h"
#include "table_shape.h"
#include "type_map.h"

/* A foreign key that is being made. */
typedef struct Making
{
	const Constraint *constraint;
	char	   *name;
	Relation	relation;
	Relation	referenced;
	Oid			index;			/* the key that it refers to */
	int			count;
	AttrNumber	columns[INDEX_MAX_KEYS];
	AttrNumber	referenced_columns[INDEX_MAX_KEYS];
	Oid			classes[INDEX_MAX_KEYS];	/* of the key, in the order of the columns */
	Oid			between[INDEX_MAX_KEYS];	/* operators: referenced = referencing, ... */
	Oid			among_referenced[INDEX_MAX_KEYS];
	Oid			among_own[INDEX_MAX_KEYS];
} Making;

static void
refuse(const Making *making, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("foreign key \"%s\" of table \"%s\" is not supported: %s", making->name,
					RelationGetRelationName(making->relation), reason)));
}

static bool
has_action(const Constraint *constraint, char action)
{
	return constraint->fk_del_action == action || constraint->fk_upd_action == action;
}

/* What the statement asks for that MySQL does not have. */
static void
check_form(const Making *making)
{
	const Constraint *constraint = making->constraint;

	if (constraint->fk_matchtype == FKCONSTR_MATCH_FULL)
		refuse(making, "MATCH FULL");
	if (has_action(constraint, FKCONSTR_ACTION_SETDEFAULT))
		refuse(making, "SET DEFAULT");
	if (constraint->fk_del_set_cols != NIL)
		refuse(making, "SET NULL with a list of columns");
	if (!constraint->initially_valid)
		refuse(making, "NOT VALID");
	/* It was accepted where it was defined. */
	if (constraint->deferrable && !kluster_deferrable_at_once && !kluster_replaying())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign key \"%s\" of table \"%s\" is not supported: DEFERRABLE", making->name,
						RelationGetRelationName(making->relation)),
				 errhint("A shard checks foreign keys at once. With kluster.deferrable_at_once = on they are made as NOT DEFERRABLE.")));
}

/* An ordinary table for its user: a managed one on one shard. */
static void
check_table(const Making *making, Relation relation)
{
	Oid			relid = RelationGetRelid(relation);

	if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE || relation->rd_rel->relispartition)
		refuse(making, psprintf("table \"%s\" is partitioned, or a partition", RelationGetRelationName(relation)));
	if (relation->rd_rel->relkind == RELKIND_RELATION || !kluster_is_managed(relid))
		refuse(making, psprintf("table \"%s\" has not been made as a table of a shard", RelationGetRelationName(relation)));
	if (kluster_read_place(relid)->mirrored)
		refuse(making, psprintf("table \"%s\" is mirrored on every shard", RelationGetRelationName(relation)));
}

static void
check_referenced(const Making *making)
{
	char		kind = making->referenced->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && !kluster_is_sharded(RelationGetRelid(making->referenced)))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("referenced relation \"%s\" is not a table", RelationGetRelationName(making->referenced))));
	if (making->referenced->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("constraints on permanent tables may reference only permanent tables")));
	check_table(making, making->relation);
	check_table(making, making->referenced);
}

static void
check_shards(const Making *making)
{
	uint32		own = kluster_read_place(RelationGetRelid(making->relation))->shard;
	uint32		other = kluster_read_place(RelationGetRelid(making->referenced))->shard;

	if (own != other)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign key \"%s\" of table \"%s\" is not supported: the tables are on different shards", making->name,
						RelationGetRelationName(making->relation)),
				 errdetail("Table \"%s\" is on shard %u, \"%s\" on shard %u.", RelationGetRelationName(making->relation), own,
						   RelationGetRelationName(making->referenced), other),
				 errhint("CREATE TABLE with REFERENCES puts a table where the other one is; so do WITH (shard = %u), and kluster.default_shard for all tables.",
						 other)));
}

/* The numbers of the columns with these names. */
static int
find_columns(Relation relation, List *names, AttrNumber *columns)
{
	int			count = 0;
	ListCell   *cell;

	foreach(cell, names)
	{
		AttrNumber	number = get_attnum(RelationGetRelid(relation), strVal(lfirst(cell)));

		if (number == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" referenced in foreign key constraint does not exist", strVal(lfirst(cell)))));
		if (number < 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("system columns cannot be used in foreign keys")));
		if (count >= INDEX_MAX_KEYS)
			ereport(ERROR,
					(errcode(ERRCODE_TOO_MANY_COLUMNS),
					 errmsg("cannot have more than %d keys in a foreign key", INDEX_MAX_KEYS)));
		columns[count++] = number;
	}
	return count;
}

static void
check_generated(const Making *making)
{
	for (int i = 0; i < making->count; i++)
	{
		const Constraint *constraint = making->constraint;
		bool		on_update = constraint->fk_upd_action == FKCONSTR_ACTION_SETNULL ||
			constraint->fk_upd_action == FKCONSTR_ACTION_CASCADE;

		if (TupleDescAttr(RelationGetDescr(making->relation), making->columns[i] - 1)->attgenerated == '\0')
			continue;
		if (on_update || constraint->fk_del_action == FKCONSTR_ACTION_SETNULL)
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("invalid %s action for foreign key constraint containing generated column",
							on_update ? "ON UPDATE" : "ON DELETE")));
	}
}

/* Is it a key of exactly these columns? Then their classes of operators are noted. */
static bool
is_key_of(Making *making, Relation index, int count)
{
	oidvector  *classes;
	Datum		datum;
	bool		is_null;

	if (!index->rd_index->indisunique || !index->rd_index->indimmediate || index->rd_index->indnkeyatts != count)
		return false;
	datum = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indclass, &is_null);
	classes = (oidvector *) DatumGetPointer(datum);
	for (int i = 0; i < count; i++)
	{
		int			position = 0;

		while (position < count && index->rd_index->indkey.values[position] != making->referenced_columns[i])
			position++;
		if (position == count)
			return false;
		making->classes[i] = classes->values[position];
	}
	return true;
}

static void
check_distinct(const Making *making, int count)
{
	for (int i = 0; i < count; i++)
		for (int k = 0; k < i; k++)
			if (making->referenced_columns[i] == making->referenced_columns[k])
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_FOREIGN_KEY),
						 errmsg("foreign key referenced-columns list must not contain duplicates")));
}

/* The key that the columns name, or the primary key when they are left out. */
static void
find_key(Making *making)
{
	Relation	referenced = making->referenced;
	bool		named = making->constraint->pk_attrs != NIL;
	int			count = named ? find_columns(referenced, making->constraint->pk_attrs, making->referenced_columns) : 0;
	ListCell   *cell;

	check_distinct(making, count);
	foreach(cell, RelationGetIndexList(referenced))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (!named && index->rd_index->indisprimary)
		{
			count = index->rd_index->indnkeyatts;
			memcpy(making->referenced_columns, index->rd_index->indkey.values, sizeof(AttrNumber) * count);
		}
		if ((named || index->rd_index->indisprimary) && is_key_of(making, index, count) &&
			(!OidIsValid(making->index) || index->rd_index->indisprimary))
			making->index = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	if (!OidIsValid(making->index) && !named)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no primary key for referenced table \"%s\"", RelationGetRelationName(referenced))));
	if (!OidIsValid(making->index))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FOREIGN_KEY),
				 errmsg("there is no unique constraint matching given keys for referenced table \"%s\"",
						RelationGetRelationName(referenced))));
	if (count != making->count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FOREIGN_KEY),
				 errmsg("number of referencing and referenced columns for foreign key disagree")));
}

static Form_pg_attribute
own_column(const Making *making, int i)
{
	return TupleDescAttr(RelationGetDescr(making->relation), making->columns[i] - 1);
}

static Form_pg_attribute
referenced_column(const Making *making, int i)
{
	return TupleDescAttr(RelationGetDescr(making->referenced), making->referenced_columns[i] - 1);
}

/* The operators that PostgreSQL would compare with: the catalogs have to tell them. */
static void
find_operators(Making *making, int i)
{
	Oid			family = get_opclass_family(making->classes[i]);
	Oid			input = get_opclass_input_type(making->classes[i]);
	Oid			own = getBaseType(own_column(making, i)->atttypid);
	Oid			other = getBaseType(referenced_column(making, i)->atttypid);

	making->among_referenced[i] = get_opfamily_member(family, input, input, BTEqualStrategyNumber);
	making->between[i] = get_opfamily_member(family, input, own, BTEqualStrategyNumber);
	making->among_own[i] = get_opfamily_member(family, own, own, BTEqualStrategyNumber);
	if ((!OidIsValid(making->between[i]) || !OidIsValid(making->among_own[i])) &&
		(own == other || can_coerce_type(1, &own, &input, COERCION_IMPLICIT)))
	{
		making->between[i] = making->among_referenced[i];
		making->among_own[i] = making->among_referenced[i];
	}
	if (!OidIsValid(making->between[i]) || !OidIsValid(making->among_own[i]))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("foreign key constraint \"%s\" cannot be implemented", making->name),
				 errdetail("Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.",
						   NameStr(own_column(making, i)->attname), NameStr(referenced_column(making, i)->attname),
						   format_type_be(own_column(making, i)->atttypid), format_type_be(referenced_column(making, i)->atttypid))));
}

static char *
remote_type(Form_pg_attribute column, KlusterForm *form)
{
	KlusterType type;
	StringInfoData out;

	kluster_require_type(column->atttypid, column->atttypmod, NameStr(column->attname), &type);
	*form = type.form;
	initStringInfo(&out);
	kluster_append_column_type(&out, column->atttypid, column->atttypmod, NameStr(column->attname), 0);
	return out.data;
}

static bool
compares_bytes(Form_pg_attribute column)
{
	return !OidIsValid(column->attcollation) || get_collation_isdeterministic(column->attcollation);
}

/* InnoDB compares values of one type only; texts and bytes may differ in length. */
static void
check_types(const Making *making, int i)
{
	Form_pg_attribute own = own_column(making, i);
	Form_pg_attribute other = referenced_column(making, i);
	KlusterForm own_form;
	KlusterForm other_form;
	char	   *own_type = remote_type(own, &own_form);
	char	   *other_type = remote_type(other, &other_form);
	bool		has_length = own_form == KLUSTER_TEXT || own_form == KLUSTER_BYTES || own_form == KLUSTER_PADDED;

	if (own_form != other_form || (!has_length && strcmp(own_type, other_type) != 0))
		refuse(making, psprintf("columns \"%s\" and \"%s\" have different types in a shard: %s and %s", NameStr(own->attname),
								NameStr(other->attname), own_type, other_type));
	if (own_form == KLUSTER_OPAQUE || own_form == KLUSTER_ARRAY || own_form == KLUSTER_FLOAT)
		refuse(making, psprintf("column \"%s\" is of type %s", NameStr(own->attname), format_type_be(own->atttypid)));
	if (!compares_bytes(own) || !compares_bytes(other))
		refuse(making, psprintf("column \"%s\" has a collation that is not deterministic", NameStr(own->attname)));
}

/* MySQL takes such a change for RESTRICT. */
static void
check_self_reference(const Making *making)
{
	char		action = making->constraint->fk_upd_action;

	if (RelationGetRelid(making->relation) == RelationGetRelid(making->referenced) &&
		(action == FKCONSTR_ACTION_CASCADE || action == FKCONSTR_ACTION_SETNULL))
		refuse(making, "ON UPDATE CASCADE or SET NULL within one table");
}

static void
check_allowed(const Making *making)
{
	Oid			relid = RelationGetRelid(making->referenced);

	if (!pg_class_ownercheck(RelationGetRelid(making->relation), GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(making->relation));
	if (pg_class_aclcheck(relid, GetUserId(), ACL_REFERENCES) == ACLCHECK_OK)
		return;
	for (int i = 0; i < making->count; i++)
	{
		AclResult	result = pg_attribute_aclcheck(relid, making->referenced_columns[i], GetUserId(), ACL_REFERENCES);

		if (result != ACLCHECK_OK)
			aclcheck_error(result, OBJECT_TABLE, RelationGetRelationName(making->referenced));
	}
}

static void
check_name(const Making *making)
{
	if (making->constraint->conname != NULL &&
		ConstraintNameIsUsed(CONSTRAINT_RELATION, RelationGetRelid(making->relation), making->name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("constraint \"%s\" for relation \"%s\" already exists", making->name,
						RelationGetRelationName(making->relation))));
}

/* What PostgreSQL would call it. */
static char *
choose_name(Relation relation, const Constraint *constraint)
{
	StringInfoData columns;
	ListCell   *cell;

	if (constraint->conname != NULL)
		return pstrdup(constraint->conname);
	initStringInfo(&columns);
	foreach(cell, constraint->fk_attrs)
	{
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "", strVal(lfirst(cell)));
		if (columns.len >= NAMEDATALEN)
			break;
	}
	return ChooseConstraintName(RelationGetRelationName(relation), columns.data, "fkey", RelationGetNamespace(relation), NIL);
}

static void
create_entry(const Making *making)
{
	const Constraint *constraint = making->constraint;

	(void) CreateConstraintEntry(making->name, RelationGetNamespace(making->relation), CONSTRAINT_FOREIGN, false, false, true,
								 InvalidOid, RelationGetRelid(making->relation), making->columns, making->count,
								 making->count, InvalidOid, making->index, RelationGetRelid(making->referenced),
								 making->referenced_columns, making->between, making->among_referenced, making->among_own,
								 making->count, constraint->fk_upd_action, constraint->fk_del_action, NULL, 0,
								 constraint->fk_matchtype, NULL, NULL, NULL, true, 0, true, false);
}

static void
make(Making *making)
{
	check_form(making);
	check_referenced(making);
	making->count = find_columns(making->relation, making->constraint->fk_attrs, making->columns);
	check_generated(making);
	find_key(making);
	check_allowed(making);
	for (int i = 0; i < making->count; i++)
	{
		find_operators(making, i);
		check_types(making, i);
	}
	check_shards(making);
	check_self_reference(making);
	check_name(making);
	create_entry(making);
}

void
kluster_define_foreign_key(Oid relid, Constraint *constraint)
{
	Making		making = {.constraint = constraint};

	kluster_track_change(relid);
	making.referenced = table_openrv(constraint->pktable, ShareRowExclusiveLock);
	making.relation = table_open(relid, ShareRowExclusiveLock);
	making.name = choose_name(making.relation, constraint);
	make(&making);
	table_close(making.relation, NoLock);
	table_close(making.referenced, NoLock);
	CommandCounterIncrement();
}
