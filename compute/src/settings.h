/*
 * settings.h: the configuration parameters `kluster.*`.
 */
#ifndef KLUSTER_SETTINGS_H
#define KLUSTER_SETTINGS_H

/* Rows of one multi-row INSERT. */
extern int	kluster_batch_size;

/* Seconds that opening a connection to a storage node may take. */
extern int	kluster_connect_timeout;

/* Seconds that a statement waits for a new topology when its shard has no writable primary. */
extern int	kluster_failover_timeout;

/* Defines the parameters; called once, while the module is loaded. */
extern void kluster_define_settings(void);

#endif
