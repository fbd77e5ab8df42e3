/*
 * ddl_foreign_key.h: FOREIGN KEY and REFERENCES of sharded tables.
 */
#ifndef KLUSTER_DDL_FOREIGN_KEY_H
#define KLUSTER_DDL_FOREIGN_KEY_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* Makes the foreign key of the table in the catalogs. What a shard cannot enforce is an error that names it. */
extern void kluster_define_foreign_key(Oid relid, Constraint *constraint);

/* The constraint of a column as one of the table; DEFERRABLE and the like that follow it in the list are taken with it. */
extern Constraint *kluster_take_column_foreign_key(List *constraints, Constraint *constraint, const char *column);

/* Has it been taken with a foreign key? It is about whether that is checked at once. */
extern bool kluster_is_timing(const Constraint *constraint);

/* Does a definition of a table have foreign keys, which PostgreSQL has collected in such a part of it? */
extern bool kluster_is_foreign_keys(const Node *part);

/* The shard of the first other table that the elements of a CREATE TABLE refer to; 0: none. */
extern uint32 kluster_referenced_shard(const List *elements);

/* TRUNCATE of a table that another one refers to, which is not truncated with it. */
extern void kluster_check_truncate(const TruncateStmt *statement);

#endif
