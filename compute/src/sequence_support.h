/*
 * sequence_support.h: makes nextval() and setval() the cluster's.
 */
#ifndef KLUSTER_SEQUENCE_SUPPORT_H
#define KLUSTER_SEQUENCE_SUPPORT_H

/* Registers the planner's hook; called once, while the module is loaded. */
extern void kluster_sequence_support_init(void);

#endif
