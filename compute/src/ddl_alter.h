/*
 * ddl_alter.h: ALTER TABLE of sharded tables and of partitioned tables with such partitions.
 */
#ifndef KLUSTER_DDL_ALTER_H
#define KLUSTER_DDL_ALTER_H

#include "postgres.h"

#include "nodes/parsenodes.h"

#include "ddl_create.h"

/* ALTER TABLE, the table being kluster_has_own_indexes(). */
extern void kluster_alter_table(Oid relid, AlterTableStmt *statement, const char *source, KlusterExecute execute);

#endif
