/*
 * topology_shared.h: between the parts of the topology; nobody else needs it.
 */
#ifndef KLUSTER_TOPOLOGY_SHARED_H
#define KLUSTER_TOPOLOGY_SHARED_H

#include "postgres.h"

/* Raises an error when a document of that length has no room in shared memory. */
extern void kluster_check_topology_size(Size length);

/* Makes a document visible to all backends, unless a later generation is. */
extern void kluster_publish_topology(const char *document, Size length, uint64 generation);

/* Says that the stored topology, if any, has been published after the start of the server. */
extern void kluster_note_topology_loaded(void);

extern void kluster_register_topology_worker(void);

#endif
