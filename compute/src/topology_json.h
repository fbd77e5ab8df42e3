/*
 * topology_json.h: the topology as the manager writes it.
 */
#ifndef KLUSTER_TOPOLOGY_JSON_H
#define KLUSTER_TOPOLOGY_JSON_H

#include "topology.h"

#include "utils/jsonb.h"

/*
 * Reads a topology into the current memory context. An error names the field
 * that is missing or wrong.
 */
extern KlusterTopology *kluster_read_topology(Jsonb *document);

#endif
