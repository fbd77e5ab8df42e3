/*
 * ddl_hook.h: sees every utility statement, and makes definitions reach the whole cluster.
 */
#ifndef KLUSTER_DDL_HOOK_H
#define KLUSTER_DDL_HOOK_H

/* Registers the hook; called once, while the module is loaded. */
extern void kluster_ddl_hook_init(void);

#endif
