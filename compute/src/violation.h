/*
 * violation.h: a shard's refusal of a row, in PostgreSQL's own words.
 */
#ifndef KLUSTER_VIOLATION_H
#define KLUSTER_VIOLATION_H

#include "postgres.h"

#include "executor/tuptable.h"

/*
 * Raises the error that PostgreSQL would have raised, had it refused the row for the same reason: message,
 * detail, and the names of table, column and constraint, by which drivers and mappers recognise it. `row`
 * is the only row of the statement; NULL: there are several, or it is not known. Returns when MySQL's error is
 * about something else.
 */
extern void kluster_raise_violation(Oid relation, TupleTableSlot *row, unsigned int code, const char *message);

#endif
