/*
 * row_identity.h: how UPDATE and DELETE find a row again that a scan delivered.
 */
#ifndef KLUSTER_ROW_IDENTITY_H
#define KLUSTER_ROW_IDENTITY_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "options.h"
#include "value.h"

typedef struct KlusterIdentity
{
	const char *row_column;		/* by the row's number in this column, ... */
	bool		whole;			/* ... or by all columns, ... */
	int			count;			/* ... or by these of the primary key */
	AttrNumber *attributes;
	AttrNumber *junk;			/* where the subplan delivers them; one for row_column */
	AttrNumber	whole_row;		/* where it delivers the whole row; 0: nowhere */
	char	  **names;
	KlusterCodec **codecs;
	TupleDesc	description;
} KlusterIdentity;

/* Asks the planner for what identifies a row. */
extern void kluster_add_row_identity(PlannerInfo *root, Index table, RangeTblEntry *entry, Relation relation);

extern KlusterIdentity *kluster_identity(Relation relation, const KlusterTable *table, List *subplan_targets);

/* Appends the condition that is true for the row that the subplan delivered. */
extern void kluster_append_identity(StringInfo out, KlusterIdentity *identity, TupleTableSlot *delivered);

#endif
