/*
 * quote.h: the only place where values and names become MySQL text.
 *
 * Sessions run with NO_BACKSLASH_ESCAPES and utf8mb4, so a backslash is a
 * character like any other.
 */
#ifndef KLUSTER_QUOTE_H
#define KLUSTER_QUOTE_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* Appends `name` as a MySQL identifier. */
extern void kluster_append_identifier(StringInfo out, const char *name);

/* Appends text as a string literal. */
extern void kluster_append_literal(StringInfo out, const char *text, Size length);

/* Appends bytes as a binary literal. */
extern void kluster_append_bytes(StringInfo out, const char *bytes, Size length);

#endif
