/*
 * ddl_partition.h: rows of foreign tables against constraints of partitions and
 * tables, which PostgreSQL does not check.
 */
#ifndef KLUSTER_DDL_PARTITION_H
#define KLUSTER_DDL_PARTITION_H

#include "postgres.h"

/* `partition` is new, and took a part of what the default partition accepts: no row of that may be there. */
extern void kluster_check_default_partition(Oid parent, Oid partition);

/* All rows of a table that became a partition belong there. */
extern void kluster_check_partition(Oid partition);

/* All rows satisfy the CHECK constraint. */
extern void kluster_check_constraint(Oid relid, const char *constraint);

#endif
