/*
 * worker.h: processes of the extension that do one thing in one database, and end.
 */
#ifndef KLUSTER_WORKER_H
#define KLUSTER_WORKER_H

#include "postgres.h"

typedef struct KlusterErrand
{
	const char *function;		/* of this library, by its name */
	const char *what;			/* what it is, for lists of processes: "applier" */
	const char *database;
	const void *order;			/* what it finds in bgw_extra */
	Size		length;			/* at most BGW_EXTRALEN */
} KlusterErrand;

/* Starts it and waits for its end. False: no background worker was free, which the server's log tells. */
extern bool kluster_run_worker(const KlusterErrand *errand);

#endif
