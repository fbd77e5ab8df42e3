/*
 * foreign_key_violation.h: a shard's refusal of a row for the sake of a foreign key, in PostgreSQL's own words.
 */
#ifndef KLUSTER_FOREIGN_KEY_VIOLATION_H
#define KLUSTER_FOREIGN_KEY_VIOLATION_H

#include "postgres.h"

#include "executor/tuptable.h"

/*
 * Raises PostgreSQL's error, when MySQL's message is about a foreign key of this database. `relid` is the table that the
 * statement changes, and `row` the only row that it stores there; NULL: there are several, or it is not known.
 */
extern void kluster_raise_foreign_key_violation(Oid relid, TupleTableSlot *row, const char *message);

#endif
