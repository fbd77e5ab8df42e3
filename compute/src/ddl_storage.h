/*
 * ddl_storage.h: statements about PostgreSQL's own storage, which sharded tables do
 * not have: what they ask for is given, or means nothing.
 */
#ifndef KLUSTER_DDL_STORAGE_H
#define KLUSTER_DDL_STORAGE_H

#include "postgres.h"

#include "nodes/parsenodes.h"

/*
 * Makes the statement one that PostgreSQL executes without complaint about
 * sharded tables: COPY without FREEZE, ANALYZE instead of VACUUM. False: nothing is left of it.
 */
extern bool kluster_adapt_storage_statement(Node *statement);

/* Does the statement have to be adapted at all? */
extern bool kluster_is_storage_statement(Node *statement);

/* Refuses LOCK TABLE of sharded tables. */
extern void kluster_check_lock(LockStmt *statement);

#endif
