/*
 * scan.h: executing scans.
 */
#ifndef KLUSTER_SCAN_H
#define KLUSTER_SCAN_H

#include "postgres.h"

#include "commands/explain.h"
#include "lib/ilist.h"
#include "nodes/execnodes.h"

#include "connection.h"
#include "query_text.h"

typedef struct KlusterScan
{
	KlusterQuery *query;
	uint32		shard;
	KlusterAccess access;
	int			fields;			/* attributes that the rows fill */
	AttrNumber *attributes;
	bool	   *averages;		/* the attribute is made of two fields of the row */
	KlusterCodec **codecs;		/* NULL for the row's number, which becomes its ctid */
	KlusterResult *result;		/* NULL: not started */
	MemoryContext context;		/* of the result */
	bool		done;
	bool		depends;		/* on values of other rows */
	bool		repeats;		/* may run again, with other values or the same */
	bool		is_async;		/* does not wait for rows ... */
	bool		later;			/* ... but says that they come later */

	/* Among the scans of this backend. */
	dlist_node	link;
	ForeignScanState *node;
	MemoryContextCallback forget;
} KlusterScan;

extern void kluster_begin_scan(ForeignScanState *node, int flags);
extern TupleTableSlot *kluster_iterate_scan(ForeignScanState *node);
extern void kluster_rescan(ForeignScanState *node);
extern void kluster_end_scan(ForeignScanState *node);
extern void kluster_explain_scan(ForeignScanState *node, ExplainState *explain);

/*
 * Before a statement changes rows: starts all scans of it that have not started,
 * so that they do not see what it changes. (Another statement on a connection
 * stores the rows of the one before aside.) True: it has scans that will run again or depend on
 * values of other rows, so that its changes have to wait for its end (deferral.h).
 */
extern bool kluster_start_scans(EState *estate);

/* Fills the scan's slot from a row. */
extern TupleTableSlot *kluster_store_row(ForeignScanState *node, char **values, unsigned long *lengths);

#endif
