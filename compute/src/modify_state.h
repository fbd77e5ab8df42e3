/*
 * modify_state.h: what the parts of INSERT, UPDATE and DELETE share about one
 * table that a statement changes.
 */
#ifndef KLUSTER_MODIFY_STATE_H
#define KLUSTER_MODIFY_STATE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "utils/hsearch.h"

#include "options.h"
#include "row_identity.h"
#include "targets.h"
#include "value.h"

typedef struct KlusterModify
{
	KlusterTable *table;
	Relation	relation;
	int			count;			/* columns that are written */
	AttrNumber *attributes;
	char	  **names;
	KlusterCodec **codecs;
	KlusterConflicts *conflicts;	/* ON CONFLICT; NULL: without */
	struct KlusterUpsert *upsert;	/* DO UPDATE; NULL: DO NOTHING, or without */
	bool		collects;		/* rows wait in `statement`, also when PostgreSQL gives them one by one */
	int			rows;			/* that wait */
	bool		unanswered;		/* rows were sent, and nobody has asked whether they are stored */
	TupleTableSlot *first;		/* a copy of the first of them, for errors */
	StringInfoData insert;		/* INSERT INTO ... VALUES */
	StringInfoData claim;		/* the same for kluster_claim_row() */
	StringInfoData statement;
	KlusterIdentity *identity;
	EState	   *estate;
	ModifyTableState *state;	/* NULL for COPY and rows that are routed */
	struct KlusterModify *inserter; /* of rows that UPDATE moves into this table, which it also updates; NULL: none */
	bool		scans_started;
	bool		defers;			/* changes wait for the end of the statement (deferral.h) */
	bool		has_triggers;	/* they may look at the table, so changes cannot wait */
	Bitmapset  *identities;		/* COPY: columns to number by the cluster's sequences */
	HTAB	   *changed;		/* rows changed by this statement, when a join can deliver them again */
	MemoryContext scratch;
	dlist_node	link;			/* among the inserters (modify_end.c) */
	MemoryContextCallback forget;
} KlusterModify;

/* All columns that the table has now. */
extern List *kluster_all_columns(Relation relation);

extern KlusterModify *kluster_new_modify(EState *estate, ResultRelInfo *target, List *columns);

/* What this statement reads it reads as it was before: to be called before each change. */
extern void kluster_before_change(KlusterModify *modify);

/* What PostgreSQL checks by itself for its own tables only. */
extern void kluster_check_row(KlusterModify *modify, ResultRelInfo *target, TupleTableSlot *slot, EState *estate);

/* insert.c: makes it ready for INSERT; `plan` is NULL for COPY. */
extern void kluster_prepare_insert(KlusterModify *modify, ModifyTable *plan, ResultRelInfo *target);

/* What inserts into the table. */
extern KlusterModify *kluster_inserter(ResultRelInfo *target);

/* Sends one row, not as part of a batch; 1: it was stored, 0: it is one of the conflicts. */
extern uint64 kluster_insert_row(KlusterModify *modify, TupleTableSlot *row);

/* The same, but a row that was there already is locked, whichever key it was that it has in common. */
extern uint64 kluster_claim_row(KlusterModify *modify, TupleTableSlot *row);

/*
 * Sends the rows that wait; how many of them were stored, or will be: without conflicts the shard works on
 * while the next rows are made (kluster_await_change).
 */
extern uint64 kluster_send_rows(KlusterModify *modify);

/* modify_end.c: notes what inserts for a statement, until the memory of that is gone. */
extern void kluster_keep_inserter(KlusterModify *modify);

/* Its first row is about to wait. */
extern void kluster_begin_waiting(KlusterModify *modify);

/*
 * Sends what waits in all tables that the statement inserts into, in the order of their first rows, up to and including
 * those of `last` (NULL: all): what a row refers to may have come just before it.
 */
extern void kluster_send_waiting(EState *estate, KlusterModify *last);

/* Sends all that waits for the end of the statement, and waits for the answers; nothing to do is fine. */
extern void kluster_finish_changes(EState *estate);

#endif
