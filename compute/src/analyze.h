/*
 * analyze.h: ANALYZE of tables on shards.
 */
#ifndef KLUSTER_ANALYZE_H
#define KLUSTER_ANALYZE_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern bool kluster_analyze(Relation relation, AcquireSampleRowsFunc *function, BlockNumber *pages);

#endif
