/*
 * ddl_undo.h: ends what an intent speaks of.
 */
#ifndef KLUSTER_DDL_UNDO_H
#define KLUSTER_DDL_UNDO_H

#include "postgres.h"

#include "ddl_store.h"

/* Takes back what was done, if it was done. False (and a warning) when that failed; bears repetition. */
extern bool kluster_take_back(const KlusterIntent *intent);

/* Does what was put off until the commit. False (and a warning) when that failed; bears repetition. */
extern bool kluster_finish(const KlusterIntent *intent);

#endif
