/*
 * ddl_index.c: keys and indexes of sharded tables in PostgreSQL's catalogs.
 */
#include "postgres.h"

#include "access/attmap.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_opclass.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_utilcmd.h"
#include "partitioning/partdesc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "ddl_index.h"
#include "ddl_track.h"
#include "table_shape.h"

static void
refuse(const char *table, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s cannot be made on sharded table \"%s\"", what, table)));
}

/* A partitioned table that is not temporary has sharded partitions; they may come later. */
bool
kluster_has_own_indexes(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		return get_rel_persistence(relid) != RELPERSISTENCE_TEMP;
	return kluster_is_sharded(relid);
}

void
kluster_check_index(const IndexStmt *statement, const char *table)
{
	ListCell   *cell;

	if (statement->accessMethod != NULL && strcmp(statement->accessMethod, "btree") != 0 &&
		strcmp(statement->accessMethod, "hash") != 0)
		refuse(table, psprintf("an index of method %s", statement->accessMethod));
	if (statement->whereClause != NULL)
		refuse(table, "a partial index");
	if (statement->indexIncludingParams != NIL)
		refuse(table, "an index with INCLUDE");
	if (statement->excludeOpNames != NIL)
		refuse(table, "an exclusion constraint");
	if (statement->nulls_not_distinct)
		refuse(table, "a unique index with NULLS NOT DISTINCT");
	if (statement->deferrable)
		refuse(table, "a deferrable constraint");
	if (statement->tableSpace != NULL)
		refuse(table, "an index with TABLESPACE");
	if (statement->indexOid != InvalidOid)
		refuse(table, "a constraint USING INDEX");
	foreach(cell, statement->indexParams)
		if (lfirst_node(IndexElem, cell)->expr != NULL)
			refuse(table, "an index on an expression");
}

/* What PostgreSQL would call the index. */
static char *
choose_name(Relation relation, const IndexStmt *statement)
{
	StringInfoData columns;
	ListCell   *cell;
	const char *label = statement->isconstraint ? "key" : "idx";

	if (statement->primary)
		return ChooseRelationName(RelationGetRelationName(relation), NULL, "pkey", RelationGetNamespace(relation), true);
	initStringInfo(&columns);
	foreach(cell, statement->indexParams)
	{
		if (columns.len > 0)
			appendStringInfoChar(&columns, '_');
		appendStringInfoString(&columns, lfirst_node(IndexElem, cell)->name);
		if (columns.len >= NAMEDATALEN)
			break;
	}
	return ChooseRelationName(RelationGetRelationName(relation), columns.data, label, RelationGetNamespace(relation),
							  statement->isconstraint);
}

/* The columns of an index as index_create() takes them. */
typedef struct IndexColumns
{
	IndexInfo  *info;
	List	   *names;
	Oid			collations[INDEX_MAX_KEYS];
	Oid			classes[INDEX_MAX_KEYS];
	int16		options[INDEX_MAX_KEYS];
} IndexColumns;

static Form_pg_attribute
attribute_of(Relation relation, const char *name)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), name);

	if (number == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" does not exist", name)));
	if (number < 0)
		refuse(RelationGetRelationName(relation), psprintf("an index on system column \"%s\"", name));
	return TupleDescAttr(RelationGetDescr(relation), number - 1);
}

static void
read_column(Relation relation, const IndexElem *element, IndexColumns *columns, int position)
{
	Form_pg_attribute attribute = attribute_of(relation, element->name);

	for (int i = 0; i < position; i++)
		if (columns->info->ii_IndexAttrNumbers[i] == attribute->attnum)
			refuse(RelationGetRelationName(relation), psprintf("an index that has column \"%s\" twice", element->name));
	columns->info->ii_IndexAttrNumbers[position] = attribute->attnum;
	columns->names = lappend(columns->names, pstrdup(element->name));
	columns->collations[position] = attribute->attcollation;
	columns->classes[position] = ResolveOpClass(element->opclass, attribute->atttypid, "btree", BTREE_AM_OID);
	columns->options[position] = 0;
	if (element->ordering == SORTBY_DESC)
		columns->options[position] |= INDOPTION_DESC;
	if (element->nulls_ordering == SORTBY_NULLS_FIRST ||
		(element->nulls_ordering == SORTBY_NULLS_DEFAULT && element->ordering == SORTBY_DESC))
		columns->options[position] |= INDOPTION_NULLS_FIRST;
}

static void
read_columns(Relation relation, const IndexStmt *statement, IndexColumns *columns)
{
	int			count = list_length(statement->indexParams);
	int			position = 0;
	ListCell   *cell;

	if (count > INDEX_MAX_KEYS)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("cannot use more than %d columns in an index", INDEX_MAX_KEYS)));
	columns->info = makeIndexInfo(count, count, BTREE_AM_OID, NIL, NIL, statement->unique, false, true, false);
	columns->names = NIL;
	foreach(cell, statement->indexParams)
		read_column(relation, lfirst_node(IndexElem, cell), columns, position++);
}

/* Rows of one key must meet in one partition: the key has all columns that decide about it. */
static void
check_partition_key(Relation relation, const IndexStmt *statement, const IndexColumns *columns)
{
	PartitionKey key;

	if (relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE || !statement->unique)
		return;
	key = RelationGetPartitionKey(relation);
	for (int i = 0; i < key->partnatts; i++)
	{
		bool		found = false;
		const char *kind = statement->primary ? "PRIMARY KEY" : "UNIQUE";

		if (key->partattrs[i] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("unsupported %s constraint with partition key definition", kind),
					 errdetail("%s constraints cannot be used when partition keys include expressions.", kind)));
		for (int k = 0; k < columns->info->ii_NumIndexKeyAttrs; k++)
			found = found || columns->info->ii_IndexAttrNumbers[k] == key->partattrs[i];
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("unique constraint on partitioned table must include all partitioning columns"),
					 errdetail("%s constraint on table \"%s\" lacks column \"%s\" which is part of the partition key.", kind,
							   RelationGetRelationName(relation), get_attname(RelationGetRelid(relation), key->partattrs[i], false))));
	}
}

static void
set_not_null(Oid relid, const IndexStmt *statement)
{
	List	   *commands = NIL;
	ListCell   *cell;

	foreach(cell, statement->indexParams)
	{
		const char *name = lfirst_node(IndexElem, cell)->name;
		AlterTableCmd *command;
		HeapTuple	tuple = SearchSysCacheAttName(relid, name);
		bool		already = HeapTupleIsValid(tuple) && ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;

		if (HeapTupleIsValid(tuple))
			ReleaseSysCache(tuple);
		if (already)
			continue;
		command = makeNode(AlterTableCmd);
		command->subtype = AT_SetNotNull;
		command->name = pstrdup(name);
		commands = lappend(commands, command);
	}
	if (commands != NIL)
	{
		AlterTableInternal(relid, commands, true);
		CommandCounterIncrement();
	}
}

static void
check_allowed(Relation relation, const IndexStmt *statement)
{
	ListCell   *cell;

	if (!pg_class_ownercheck(RelationGetRelid(relation), GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relation->rd_rel->relkind), RelationGetRelationName(relation));
	if (!statement->primary)
		return;
	foreach(cell, RelationGetIndexList(relation))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		bool		primary = ((Form_pg_index) GETSTRUCT(tuple))->indisprimary;

		ReleaseSysCache(tuple);
		if (primary)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
					 errmsg("multiple primary keys for table \"%s\" are not allowed", RelationGetRelationName(relation))));
	}
}

static Oid
create_entry(Relation relation, const IndexStmt *statement, Oid parent_index, Oid parent_constraint, Oid *constraint)
{
	IndexColumns columns;
	bits16		flags = INDEX_CREATE_SKIP_BUILD | INDEX_CREATE_PARTITIONED;
	char	   *name = statement->idxname != NULL ? statement->idxname : choose_name(relation, statement);

	read_columns(relation, statement, &columns);
	check_partition_key(relation, statement, &columns);
	if (statement->isconstraint)
		flags |= INDEX_CREATE_ADD_CONSTRAINT;
	if (statement->primary)
		flags |= INDEX_CREATE_IS_PRIMARY;
	return index_create(relation, name, InvalidOid, parent_index, parent_constraint, InvalidOid, columns.info,
						columns.names, BTREE_AM_OID, InvalidOid, columns.collations, columns.classes, columns.options,
						(Datum) 0, flags, 0, false, false, constraint);
}

static Oid	define(Oid relid, IndexStmt *statement, Oid parent_index, Oid parent_constraint);

/* The same for a partition, whose columns may have other numbers; the names are the same. */
static void
define_for_partition(Oid partition, IndexStmt *statement, Oid index, Oid constraint)
{
	IndexStmt  *copy = copyObject(statement);

	copy->idxname = NULL;
	copy->if_not_exists = false;
	kluster_track_change(partition);
	(void) define(partition, copy, index, constraint);
}

/* Not with ON ONLY, as pg_dump writes it: the partitions' indexes follow, and are attached. */
static bool
is_for_partitions(const IndexStmt *statement)
{
	return statement->relation == NULL || statement->relation->inh;
}

static Oid
define(Oid relid, IndexStmt *statement, Oid parent_index, Oid parent_constraint)
{
	Relation	relation;
	Oid			constraint = InvalidOid;
	Oid			index;
	List	   *partitions;
	ListCell   *cell;

	if (statement->primary)
		set_not_null(relid, statement);
	relation = relation_open(relid, ShareLock);
	check_allowed(relation, statement);
	index = create_entry(relation, statement, parent_index, parent_constraint, &constraint);
	partitions = relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && is_for_partitions(statement) ? find_inheritance_children(relid, ShareLock) : NIL;
	relation_close(relation, NoLock);
	CommandCounterIncrement();
	foreach(cell, partitions)
		define_for_partition(lfirst_oid(cell), statement, index, constraint);
	return index;
}

Oid
kluster_define_index(Oid relid, IndexStmt *statement)
{
	kluster_check_index(statement, get_rel_name(relid));
	if (statement->if_not_exists && statement->idxname != NULL &&
		OidIsValid(get_relname_relid(statement->idxname, get_rel_namespace(relid))))
	{
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists, skipping", statement->idxname)));
		return InvalidOid;
	}
	kluster_track_change(relid);
	return define(relid, statement, InvalidOid, InvalidOid);
}

/* An index of the partition that can serve as the parent's: same columns, same kind. InvalidOid: none. */
static Oid
matching_index(Relation partition, const IndexStmt *wanted)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(partition))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;
		bool		same = form->indisunique == wanted->unique && form->indisprimary == wanted->primary &&
			form->indnkeyatts == list_length(wanted->indexParams) && !index->rd_rel->relispartition;

		for (int i = 0; same && i < form->indnkeyatts; i++)
			same = strcmp(get_attname(RelationGetRelid(partition), form->indkey.values[i], false),
						  list_nth_node(IndexElem, wanted->indexParams, i)->name) == 0;
		index_close(index, AccessShareLock);
		if (same)
			return lfirst_oid(cell);
	}
	return InvalidOid;
}

static void
adopt_index(Oid partition, Oid child, Oid parent)
{
	Relation	index = index_open(child, AccessExclusiveLock);
	Oid			child_constraint = get_relation_idx_constraint_oid(partition, child);
	Oid			parent_constraint = get_relation_idx_constraint_oid(IndexGetRelation(parent, false), parent);

	IndexSetParentIndex(index, parent);
	if (OidIsValid(child_constraint) && OidIsValid(parent_constraint))
		ConstraintSetParentConstraint(child_constraint, parent_constraint, partition);
	index_close(index, NoLock);
	CommandCounterIncrement();
}

void
kluster_inherit_indexes(Oid parent, Oid partition)
{
	Relation	from = relation_open(parent, AccessShareLock);
	Relation	to = relation_open(partition, NoLock);
	AttrMap    *map = build_attrmap_by_name(RelationGetDescr(to), RelationGetDescr(from));
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(from))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		IndexStmt  *statement = generateClonedIndexStmt(NULL, index, map, NULL);
		Oid			constraint = get_relation_idx_constraint_oid(parent, lfirst_oid(cell));
		Oid			matching = matching_index(to, statement);

		index_close(index, NoLock);
		if (OidIsValid(matching))
		{
			adopt_index(partition, matching, lfirst_oid(cell));
			continue;
		}
		kluster_track_change(partition);
		(void) define(partition, statement, lfirst_oid(cell), constraint);
	}
	relation_close(to, NoLock);
	relation_close(from, NoLock);
}

/* An index whose kind is hidden. */
typedef struct Hidden
{
	Oid			index;
	bool		primary;
} Hidden;

static void
set_kind(Oid index, bool unique, bool primary)
{
	Relation	catalog = table_open(IndexRelationId, RowExclusiveLock);
	HeapTuple	tuple = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
	Oid			relid = form->indrelid;

	form->indisunique = unique;
	form->indisprimary = primary;
	CatalogTupleUpdate(catalog, &tuple->t_self, tuple);
	heap_freetuple(tuple);
	table_close(catalog, RowExclusiveLock);
	CacheInvalidateRelcacheByRelid(relid);
	CacheInvalidateRelcacheByRelid(index);
}

List *
kluster_hide_unique(Oid parent)
{
	Relation	relation = relation_open(parent, ShareUpdateExclusiveLock);
	List	   *hidden = NIL;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(relation))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
		Hidden	   *entry = palloc(sizeof(Hidden));

		entry->index = lfirst_oid(cell);
		entry->primary = form->indisprimary;
		if (form->indisunique)
			hidden = lappend(hidden, entry);
		ReleaseSysCache(tuple);
	}
	relation_close(relation, NoLock);
	foreach(cell, hidden)
		set_kind(((Hidden *) lfirst(cell))->index, false, false);
	if (hidden != NIL)
		CommandCounterIncrement();
	return hidden;
}

void
kluster_show_unique(List *hidden)
{
	ListCell   *cell;

	if (hidden == NIL)
		return;
	CommandCounterIncrement();
	foreach(cell, hidden)
		set_kind(((Hidden *) lfirst(cell))->index, true, ((Hidden *) lfirst(cell))->primary);
	CommandCounterIncrement();
}
