/*
 * shape_text.h: the MySQL statements that make a table have a shape.
 */
#ifndef KLUSTER_SHAPE_TEXT_H
#define KLUSTER_SHAPE_TEXT_H

#include "postgres.h"

#include "table_shape.h"

/* "`database`.`table`" */
extern char *kluster_table_text(const char *database, const char *table);

/* CREATE DATABASE IF NOT EXISTS, as sharded tables need it. */
extern char *kluster_create_database_text(const char *database);

/* CREATE TABLE. `mark` becomes its comment: it tells who made it. */
extern char *kluster_create_table_text(const KlusterTableShape *shape, const char *mark);

/* How much of a column of that type the key takes: characters or bytes, 0 for all of it. */
extern int	kluster_key_prefix(const KlusterKeyShape *key, const char *type);

/* The clauses of an ALTER TABLE, each NULL when there is nothing to do. */
typedef struct KlusterShapeChange
{
	char	   *now;			/* within the transaction ... */
	char	   *back;			/* ... and how to take that back */
	char	   *at_commit;		/* what cannot be taken back, or need not be early */
} KlusterShapeChange;

/*
 * What has to be done to a table of shape `before` to get `after`. Only the
 * name, database, columns and keys differ, not the shard. Foreign keys have their names (kluster_name_foreign_keys()).
 */
extern KlusterShapeChange kluster_shape_change(const KlusterTableShape *before, const KlusterTableShape *after);

#endif
