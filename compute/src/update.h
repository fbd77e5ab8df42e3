/*
 * update.h: the objects of the extension follow the library that the server was started with.
 */
#ifndef KLUSTER_UPDATE_H
#define KLUSTER_UPDATE_H

#include "postgres.h"

/*
 * Updates the extension in every database that takes connections, to the version of this library. False: not in all of them, the
 * server's log tells why. For the launcher, which is connected to database postgres, outside of a transaction.
 */
extern bool kluster_update_databases(void);

/* Asks for shared memory; called once, while the module is loaded. */
extern void kluster_update_init(void);

#endif
