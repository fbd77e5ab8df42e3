/*
 * ddl_replay.h: following the definitions of other compute nodes.
 */
#ifndef KLUSTER_DDL_REPLAY_H
#define KLUSTER_DDL_REPLAY_H

#include "postgres.h"

#include "nodes/nodes.h"

/* Has this node already what the statement makes (a database, a role), so that repeating it would fail? */
extern bool kluster_needs_no_replay(Node *statement);

/* Was this compute node told where the log is? */
extern bool kluster_can_follow(void);

/* Registers the hook that keeps clients waiting; called once, while the module is loaded. */
extern void kluster_admission_init(void);

/* Registers the launcher; called once, while the module is loaded. */
extern void kluster_replay_init(void);

#endif
