/*
 * contention.h: statements for the metadata server that met others.
 */
#ifndef KLUSTER_CONTENTION_H
#define KLUSTER_CONTENTION_H

#include "postgres.h"

/*
 * Calls `attempt`, and again while MySQL ends its statements for the sake of others (deadlock, lock wait timeout), for
 * kluster.ddl_lock_timeout at most. After such an end `attempt` must start anew: of a statement on its own nothing
 * is left, a MySQL transaction may still be open and has to be rolled back first.
 */
extern void kluster_insist(void (*attempt) (void *argument), void *argument);

#endif
