/*
 * async.h: Append over partitions on several shards at the same time.
 */
#ifndef KLUSTER_ASYNC_H
#define KLUSTER_ASYNC_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

extern bool kluster_is_async_capable(ForeignPath *path);
extern void kluster_async_request(AsyncRequest *request);
extern void kluster_async_configure_wait(AsyncRequest *request);
extern void kluster_async_notify(AsyncRequest *request);

#endif
