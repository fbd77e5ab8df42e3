/*
 * shown_kind.h: how the catalogs show sharded tables.
 */
#ifndef KLUSTER_SHOWN_KIND_H
#define KLUSTER_SHOWN_KIND_H

#include "postgres.h"

/* Is this a session of pg_dump or pg_dumpall, by its application_name? They are shown what there is. */
extern bool kluster_is_dump(void);

extern void kluster_shown_kind_init(void);

#endif
