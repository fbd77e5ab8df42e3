/*
 * type_map.h: which MySQL type keeps the values of a PostgreSQL type.
 *
 * The one place that says so: CREATE TABLE uses it for columns, reading and
 * writing use it for values, pushdown uses it to know what a shard can compare.
 * A mapping loses nothing: each value that is accepted comes back the same.
 */
#ifndef KLUSTER_TYPE_MAP_H
#define KLUSTER_TYPE_MAP_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* How values travel and what a shard can do with them. */
typedef enum KlusterForm
{
	KLUSTER_BOOLEAN,			/* tinyint, 0 or 1 */
	KLUSTER_INTEGER,			/* smallint, int, bigint; oid as int unsigned */
	KLUSTER_FLOAT,				/* double, also for real: MySQL prints its float with 6 digits */
	KLUSTER_DECIMAL,			/* decimal(p,s) */
	KLUSTER_TEXT,				/* varchar(n), longtext; binary collation */
	KLUSTER_LABEL,				/* an enum, as its label: equality is meaningful, order is not */
	KLUSTER_PADDED,				/* char(n), without its trailing blanks */
	KLUSTER_BYTES,				/* varbinary, longblob */
	KLUSTER_UUID,				/* binary(16) */
	KLUSTER_DATE,				/* date */
	KLUSTER_TIME,				/* time(6) */
	KLUSTER_TIMESTAMP,			/* datetime(6) */
	KLUSTER_TIMESTAMPTZ,		/* datetime(6) in UTC */
	KLUSTER_ARRAY,				/* json */
	KLUSTER_OPAQUE				/* PostgreSQL's text form in a longtext: kept, never compared on a shard */
} KlusterForm;

typedef struct KlusterType
{
	Oid			type;			/* what is below a domain */
	int32		typmod;
	KlusterForm form;
} KlusterType;

/* How a type is mapped; false when it is not. */
extern bool kluster_type_of(Oid type, int32 typmod, KlusterType *mapped);

/* The same, but an error that names the type and the column. */
extern void kluster_require_type(Oid type, int32 typmod, const char *column, KlusterType *mapped);

/*
 * Appends the MySQL type of a column, such as "varchar(20)". The table's
 * charset is utf8mb4 with collation utf8mb4_0900_bin. `key_bytes`: 0 for a
 * column that no index contains; otherwise the bytes of an index entry that it
 * may take (InnoDB: 3072 for all columns of one index together), which bounds
 * text and bytea. An error that names the column when its type cannot be part
 * of an index.
 */
extern void kluster_append_column_type(StringInfo out, Oid type, int32 typmod, const char *column, int key_bytes);

/* Can a shard tell whether two values are equal (hence: unique index, GROUP BY)? */
extern bool kluster_has_equality(const KlusterType *type);

/* Does a shard order values as PostgreSQL does? For text only in a collation that compares bytes. */
extern bool kluster_has_order(const KlusterType *type, Oid collation);

#endif
