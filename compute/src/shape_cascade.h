/*
 * shape_cascade.h: what MySQL changes by itself must not concern what only the compute node knows.
 */
#ifndef KLUSTER_SHAPE_CASCADE_H
#define KLUSTER_SHAPE_CASCADE_H

#include "postgres.h"

#include "foreign_key.h"

/*
 * ON DELETE SET NULL, ON UPDATE CASCADE and SET NULL change columns in MySQL, where there are no CHECK constraints, domains and
 * generated columns of PostgreSQL. An error when one of these, or NOT NULL, is about a column that the foreign key sets.
 */
extern void kluster_check_cascades(const KlusterForeignKey *key);

#endif
