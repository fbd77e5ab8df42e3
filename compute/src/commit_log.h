/*
 * commit_log.h: the decisions about transactions that wrote to several shards,
 * in table commit_log_<cluster> of the metadata server.
 */
#ifndef KLUSTER_COMMIT_LOG_H
#define KLUSTER_COMMIT_LOG_H

#include "global_transaction.h"

typedef enum KlusterDecision
{
	KLUSTER_DECIDED_COMMIT,
	KLUSTER_DECIDED_ABORT,
	KLUSTER_UNDECIDED			/* it could not be found out */
} KlusterDecision;

/*
 * Makes sure that the metadata server can be talked to, so that a decision
 * about to be made is not made in vain. An error when it cannot.
 */
extern void kluster_open_commit_log(void);

/*
 * Asks for the decision to commit, and says what it is: the resolver may have
 * decided to abort. `shards` is a JSON array of their ids. An error
 * only when nothing was asked yet; ends within kluster.failover_timeout.
 */
extern KlusterDecision kluster_decide_commit(const KlusterGlobalTransaction *transaction, const char *shards);

#endif
