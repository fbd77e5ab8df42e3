/*
 * ddl_create.h: CREATE TABLE makes sharded tables.
 */
#ifndef KLUSTER_DDL_CREATE_H
#define KLUSTER_DDL_CREATE_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/* How CREATE TABLE, and what it consists of, is executed by PostgreSQL itself. */
typedef void (*KlusterExecute) (Node *statement);

/*
 * CREATE TABLE. Where it was placed; 0: on every shard, or nowhere because it is
 * partitioned, or existed.
 */
extern uint32 kluster_create_table(CreateStmt *statement, const char *source, KlusterExecute execute);

/* CREATE TABLE AS, SELECT INTO. `definition` gets the CREATE TABLE that the other compute nodes execute. */
extern uint32 kluster_create_table_as(CreateTableAsStmt *statement, const char *source, KlusterExecute execute,
									  char **definition, uint64 *rows);

#endif
