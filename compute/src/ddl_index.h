/*
 * ddl_index.h: keys and indexes of sharded tables in PostgreSQL's catalogs.
 *
 * PostgreSQL has no indexes on foreign tables. Ours are entries of the catalogs
 * alone, of the kind that partitioned tables have: without storage, and never
 * used by the planner. So psql's \d, information_schema, drivers' metadata, ON
 * CONFLICT (columns) and GROUP BY of a primary key find what they look for, and
 * DROP INDEX, RENAME and COMMENT work as they are. The real index is in MySQL.
 */
#ifndef KLUSTER_DDL_INDEX_H
#define KLUSTER_DDL_INDEX_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* Is it a sharded table, or a partitioned table with such partitions, now or later? */
extern bool kluster_has_own_indexes(Oid relid);

/* Refuses what MySQL has no equivalent for, by name; before anything is changed. */
extern void kluster_check_index(const IndexStmt *statement, const char *table);

/* CREATE INDEX, or the index of a constraint, of a table and all its partitions. The index. */
extern Oid	kluster_define_index(Oid relid, IndexStmt *statement);

/* Gives a new partition what its parent has. */
extern void kluster_inherit_indexes(Oid parent, Oid partition);

/*
 * PostgreSQL refuses a foreign table as partition of a table with unique
 * indexes. It does not see them as unique between these two, within this transaction.
 */
extern List *kluster_hide_unique(Oid parent);
extern void kluster_show_unique(List *hidden);

#endif
