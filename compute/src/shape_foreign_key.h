/*
 * shape_foreign_key.h: foreign keys as parts of what a table looks like in MySQL.
 */
#ifndef KLUSTER_SHAPE_FOREIGN_KEY_H
#define KLUSTER_SHAPE_FOREIGN_KEY_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "table_shape.h"

/* Reads them into the shape, whose other parts are known. */
extern void kluster_read_foreign_keys(KlusterTableShape *shape);

/* "FOREIGN KEY (`a`) REFERENCES `d`.`t` (`b`) ON DELETE CASCADE ON UPDATE NO ACTION" */
extern char *kluster_foreign_key_text(const KlusterTableShape *shape, const KlusterForeignKeyShape *key);

/*
 * InnoDB needs an index that begins with the columns. Does no index of the shape? Then the foreign key has one of its own,
 * of its own name in MySQL.
 */
extern bool kluster_needs_index(const KlusterTableShape *shape, const KlusterForeignKeyShape *key);

extern KlusterForeignKeyShape *kluster_shape_foreign_key(const KlusterTableShape *shape, Oid constraint);

/* The shape without the foreign keys that `other` does not have; it shares the rest. */
extern KlusterTableShape *kluster_common_foreign_keys(const KlusterTableShape *shape, const KlusterTableShape *other);

/* The shape of a table that is dropped, without the foreign keys that refer to other tables which are not. */
extern KlusterTableShape *kluster_without_references(const KlusterTableShape *shape);

/*
 * Names in MySQL, before kluster_shape_change(): those of keys that are there already are asked for at the shard, by
 * what they say; new ones get one that no other has. `before`: NULL when the table is new. Nothing, when no foreign key and no
 * index of one changes.
 */
extern void kluster_name_foreign_keys(const KlusterTableShape *before, const KlusterTableShape *after, uint32 shard);

#endif
