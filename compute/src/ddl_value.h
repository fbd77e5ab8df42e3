/*
 * ddl_value.h: default values as MySQL literals.
 */
#ifndef KLUSTER_DDL_VALUE_H
#define KLUSTER_DDL_VALUE_H

#include "postgres.h"

#include "nodes/nodes.h"
#include "utils/relcache.h"

/* The default of a column as stored in the catalogs; NULL when there is none. */
extern Node *kluster_column_default(Relation relation, AttrNumber number);

/*
 * The value of an expression that is the same for every row of one statement (now() included),
 * as a MySQL literal. NULL: it is NULL, or it differs from row to row.
 */
extern char *kluster_constant_literal(Node *expression);

/* Does the expression give another value for each row, like nextval() or random()? */
extern bool kluster_is_volatile(Node *expression);

#endif
