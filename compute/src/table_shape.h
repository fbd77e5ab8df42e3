/*
 * table_shape.h: what a sharded table looks like in MySQL.
 *
 * A shape is read from PostgreSQL's catalogs. DDL is done first in the catalogs,
 * then at the shard: the statement for the shard follows from the difference
 * between the shapes before and after (shape_text.h). So it does not matter which
 * of the many ways of PostgreSQL led to a change.
 */
#ifndef KLUSTER_TABLE_SHAPE_H
#define KLUSTER_TABLE_SHAPE_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "type_map.h"

/* The server that all sharded tables belong to. */
#define KLUSTER_SERVER "kluster"

/* The hidden key of a table without primary key. */
#define KLUSTER_ROW_ID "kluster_row_id"

typedef struct KlusterColumnShape
{
	AttrNumber	number;
	char	   *name;
	char	   *type;			/* of MySQL */
	Oid			pg_type;
	KlusterForm form;
	bool		not_null;
	char	   *initial;		/* MySQL literal for the rows that are there already; NULL: none */
} KlusterColumnShape;

typedef struct KlusterKeyShape
{
	Oid			index;
	char	   *name;
	bool		primary;
	bool		unique;
	int			column_count;
	AttrNumber *columns;
	bool	   *descending;
} KlusterKeyShape;

/* Both tables are on the same shard. */
typedef struct KlusterForeignKeyShape
{
	Oid			constraint;
	char	   *label;			/* the name in PostgreSQL */
	char	   *name;			/* in MySQL; NULL: not asked for, or not there */
	int			column_count;
	AttrNumber *columns;		/* in the order of the key that they refer to */
	Oid			refers_to;
	char	   *database;		/* of that table */
	char	   *table;
	char	  **referenced;		/* its columns */
	const char *on_delete;
	const char *on_update;
} KlusterForeignKeyShape;

typedef struct KlusterTableShape
{
	Oid			relid;
	char	   *label;			/* the name in PostgreSQL, for messages */
	bool		mirrored;		/* on every shard */
	uint32		shard;			/* 0 when mirrored */
	char	   *database;
	char	   *table;
	int			column_count;
	KlusterColumnShape *columns;
	int			key_count;
	KlusterKeyShape *keys;
	bool		has_primary;
	int			foreign_key_count;
	KlusterForeignKeyShape *foreign_keys;
} KlusterTableShape;

/* Is it a foreign table of the server KLUSTER_SERVER? */
extern bool kluster_is_sharded(Oid relid);

/* ... whose table in MySQL is made, changed and dropped with it? */
extern bool kluster_is_managed(Oid relid);

/* The managed sharded tables of a schema, as a list of OIDs. */
extern List *kluster_sharded_tables_of(Oid namespace);

/* The table of an index. */
extern Oid	kluster_table_of_index(Oid index);

/*
 * Reads the shape, in the current memory context. What MySQL cannot hold is
 * an error that names it.
 */
extern KlusterTableShape *kluster_read_shape(Oid relid);

/* Only where it is (no columns): works whatever the columns are. */
extern KlusterTableShape *kluster_read_place(Oid relid);

/* An error for a name that MySQL cannot have. */
extern void kluster_check_names(const KlusterTableShape *shape);

/* The MySQL database of a schema of the current database. */
extern char *kluster_remote_database(const char *schema);

/* The shards that hold the table, as a list of integers. */
extern List *kluster_shards_of(const KlusterTableShape *shape);

extern const KlusterColumnShape *kluster_shape_column(const KlusterTableShape *shape, AttrNumber number);

#endif
