/*
 * ddl_failure.h: an entry of the log of definitions that cannot be applied here.
 *
 * It stops all that comes after it, so it has to be seen: in kluster.ddl_failure(), and by the manager's doctor. It is
 * tried again after a pause that grows. An administrator mends what is in the way, or leaves the entry out with
 * kluster.skip_ddl(), which is recorded in kluster.ddl_skipped.
 */
#ifndef KLUSTER_DDL_FAILURE_H
#define KLUSTER_DDL_FAILURE_H

#include "postgres.h"

#include "datatype/timestamp.h"

typedef struct KlusterDdlFailure
{
	uint64		id;				/* of the entry; 0: none fails */
	int			attempts;
	TimestampTz since;
	TimestampTz next;			/* not before then it is tried again */
	char		database[NAMEDATALEN];
	char		statement[1024];	/* both cut when they are longer */
	char		error[1024];
} KlusterDdlFailure;

extern KlusterDdlFailure kluster_ddl_failure(void);

extern void kluster_ddl_note_failure(uint64 id, const char *database, const char *statement, const char *error);

/* The node has all entries up to `applied`. */
extern void kluster_ddl_forget_failure(uint64 applied);

/* Is it too early to try the entries after this one? */
extern bool kluster_ddl_has_to_pause(uint64 after);

/* Asks for shared memory; called once, while the module is loaded. */
extern void kluster_ddl_failure_init(void);

#endif
