/*
 * options.h: what the options of a foreign table say.
 *
 * Table:  shard            the id of its shard, or 'all' for a mirrored table
 *         remote_database  its MySQL database; default: <database>_$$_<schema>
 *         remote_table     its MySQL table; default: its name
 *         row_column       a hidden auto-increment column of the MySQL table
 *                          that identifies rows, for a table without primary key
 *         managed 'true'   the table in MySQL was made by CREATE TABLE, and is
 *                          changed and dropped with it
 * Column: remote_column    its MySQL column; default: its name
 *         key 'true'       it belongs to the primary key
 *
 * The primary key that the catalogs know (ddl_index.h) goes before these options,
 * and a managed table without one has the row_column kluster_row_id.
 * A table with neither key columns nor a row_column identifies a row by all of
 * its columns.
 */
#ifndef KLUSTER_OPTIONS_H
#define KLUSTER_OPTIONS_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/bitmapset.h"

/* Instead of a shard's id: any shard, or all of them. */
#define KLUSTER_ALL_SHARDS 0

typedef struct KlusterTable
{
	uint32		shard;			/* KLUSTER_ALL_SHARDS: mirrored */
	char	   *database;
	char	   *table;
	char	   *row_column;		/* NULL: none */
} KlusterTable;

/* An error when the options are missing or wrong. */
extern KlusterTable *kluster_table(Oid relation);

/* The name of a column in MySQL. */
extern char *kluster_column_name(Oid relation, AttrNumber attribute);

/* The attribute numbers (as such, not shifted) of the primary key's columns. */
extern Bitmapset *kluster_key_columns(Oid relation);

#endif
