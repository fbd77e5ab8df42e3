/*
 * ddl_shards.h: sharded tables at their shards: created, changed, dropped.
 */
#ifndef KLUSTER_DDL_SHARDS_H
#define KLUSTER_DDL_SHARDS_H

#include "postgres.h"

#include "table_shape.h"

extern void kluster_create_at_shards(const KlusterTableShape *shape);
extern void kluster_alter_at_shards(const KlusterTableShape *before, KlusterTableShape *after);

/* Has this transaction executed statements at the shard of the table? Then MySQL would wait for it to end before an ALTER TABLE. */
extern bool kluster_is_shard_in_use(const KlusterTableShape *shape);

/* When the transaction commits. */
extern void kluster_drop_at_shards(const KlusterTableShape *place);

/* All of a dropped database, when the transaction commits. */
extern void kluster_drop_database_at_shards(const char *name);

/* The shard for the next table: the one with the least data. */
extern uint32 kluster_place_table(void);

#endif
