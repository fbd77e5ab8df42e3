/*
 * ddl_drop.h: DROP TABLE where some of the tables are sharded.
 */
#ifndef KLUSTER_DDL_DROP_H
#define KLUSTER_DDL_DROP_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* Names DROP TABLE a sharded table? PostgreSQL would want DROP FOREIGN TABLE. */
extern bool kluster_names_sharded(const DropStmt *statement);

/* DROP TABLE as PostgreSQL does it, for tables of both kinds together. */
extern void kluster_drop_tables(const DropStmt *statement);

#endif
