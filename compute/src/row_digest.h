/*
 * row_digest.h: which rows a statement has changed already, in little memory.
 */
#ifndef KLUSTER_ROW_DIGEST_H
#define KLUSTER_ROW_DIGEST_H

#include "postgres.h"

#include "utils/hsearch.h"

/* In the current memory context. */
extern HTAB *kluster_make_digests(void);

/* Was the row noted that this text identifies? */
extern bool kluster_is_noted(HTAB *digests, const char *text, int length);

/* Notes it; false: it was already. */
extern bool kluster_note(HTAB *digests, const char *text, int length);

#endif
