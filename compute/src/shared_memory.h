/*
 * shared_memory.h: what the processes of a server share.
 */
#ifndef KLUSTER_SHARED_MEMORY_H
#define KLUSTER_SHARED_MEMORY_H

#include "postgres.h"

/*
 * To be called once for each place, while the module is loaded. `size` bytes are asked for, and a lock `tranche` (NULL:
 * none). `begin` is called in every process that attaches, under AddinShmemInitLock; it makes the place or finds it.
 */
extern void kluster_share(Size size, const char *tranche, void (*begin) (void));

#endif
