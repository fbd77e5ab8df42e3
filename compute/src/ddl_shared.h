/*
 * ddl_shared.h: how far this compute node has followed the definitions of the
 * others, in shared memory.
 */
#ifndef KLUSTER_DDL_SHARED_H
#define KLUSTER_DDL_SHARED_H

#include "postgres.h"

typedef struct KlusterDdlProgress
{
	uint64		applied;		/* id of the last entry of the log that this node has */
	uint64		newest;			/* id of the last entry that was seen in the log */
	bool		following;		/* the log was read, and all that was in it then has been applied */
} KlusterDdlProgress;

extern KlusterDdlProgress kluster_ddl_progress(void);

/* The launcher starts with what is stored. */
extern void kluster_ddl_set_applied(uint64 applied);

/* This node has all entries up to `id`: an own definition, made when nothing else was left to apply. */
extern void kluster_ddl_note_applied(uint64 id);

extern void kluster_ddl_note_newest(uint64 newest);

extern void kluster_ddl_note_following(void);

/* Waits until the entry has been applied here; false when the time was not enough. Serves interrupts. */
extern bool kluster_ddl_await(uint64 id, int milliseconds);

/* Makes the launcher look at the log now. */
extern void kluster_ddl_wake_launcher(void);
extern void kluster_ddl_register_launcher(void);

/* Asks for shared memory; called once, while the module is loaded. */
extern void kluster_ddl_shared_init(void);

#endif
