/*
 * ddl_entry.h: what the log keeps of a statement.
 */
#ifndef KLUSTER_DDL_ENTRY_H
#define KLUSTER_DDL_ENTRY_H

#include "postgres.h"

#include "nodes/plannodes.h"

#include "ddl_work.h"

/* Must other compute nodes repeat the statement? Not what is temporary, or about this server alone. */
extern bool kluster_is_logged(Node *statement);

/* Is it about temporary objects alone? */
extern bool kluster_is_temporary(Node *statement);

/*
 * Reads the entry of a statement, before it is executed. Passwords in it are
 * replaced by their verifiers, in the statement as well.
 */
extern KlusterLogEntry kluster_read_entry(PlannedStmt *planned, const char *source);

#endif
