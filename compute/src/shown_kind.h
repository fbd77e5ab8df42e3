/*
 * shown_kind.h: how the catalogs show sharded tables.
 */
#ifndef KLUSTER_SHOWN_KIND_H
#define KLUSTER_SHOWN_KIND_H

extern void kluster_shown_kind_init(void);

#endif
