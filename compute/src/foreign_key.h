/*
 * foreign_key.h: foreign keys between sharded tables, as the catalogs have them.
 *
 * A foreign key is an entry of pg_constraint alone, without PostgreSQL's triggers: the shard that has both tables enforces
 * it. So psql's \d, information_schema, mappers and DROP ... CASCADE find it. It has a name of its own in
 * MySQL, which says nothing: there it is known by its columns and by what they refer to (shape_foreign_key.h).
 */
#ifndef KLUSTER_FOREIGN_KEY_H
#define KLUSTER_FOREIGN_KEY_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

typedef struct KlusterForeignKey
{
	Oid			constraint;
	char	   *name;
	Oid			relid;
	Oid			referenced;
	Oid			index;			/* the key of the referenced table */
	int			count;
	AttrNumber *columns;		/* in the order of that key, which MySQL wants, ... */
	AttrNumber *referenced_columns;
	AttrNumber *written;		/* ... and in that of the constraint */
	char		on_delete;		/* FKCONSTR_ACTION_* */
	char		on_update;
} KlusterForeignKey;

/* An error when there is no such constraint. */
extern KlusterForeignKey *kluster_foreign_key(Oid constraint);

/* The foreign keys that the table has or that refer to it, as a list of OIDs; only those with that column, unless it is 0. */
extern List *kluster_foreign_keys_of(Oid relid, AttrNumber column);

/* The foreign keys of this database. */
extern List *kluster_all_foreign_keys(void);

/* Does it change rows of the table when the referenced row is changed, or deleted? */
extern bool kluster_sets_columns(const KlusterForeignKey *key);

/* Refuses to move a table to another shard that is linked to others. */
extern void kluster_check_unlinked(Oid relid, const char *what);

#endif
