/*
 * async.c: Append over partitions on several shards at the same time.
 *
 * Partitions of one shard share its connection, so they take turns: a request
 * whose shard is busy with another request of the same Append waits for that one
 * to end. A result of anybody else is stored aside by starting ours.
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "storage/latch.h"
#include "utils/timeout.h"

#include "async.h"
#include "remote.h"
#include "scan.h"
#include "targets.h"

bool
kluster_is_async_capable(ForeignPath *path)
{
	return true;
}

static KlusterScan *
scan_of(AsyncRequest *request)
{
	return ((ForeignScanState *) request->requestee)->fdw_state;
}

/* Is the connection in use for another request of the same Append? */
static bool
has_to_wait(AsyncRequest *request)
{
	AppendState *append = (AppendState *) request->requestor;
	KlusterScan *own = scan_of(request);

	if (own->result != NULL || own->done)
		return false;
	for (int i = 0; i < append->as_nplans; i++)
	{
		AsyncRequest *other = append->as_asyncrequests[i];
		KlusterScan *scan;

		if (other == NULL || other == request || !IsA(other->requestee, ForeignScanState))
			continue;
		scan = scan_of(other);
		if (scan != NULL && kluster_reading_shard(scan->shard) == kluster_reading_shard(own->shard) &&
			scan->result != NULL && !scan->done && kluster_result_socket(scan->result) != PGINVALID_SOCKET)
			return true;
	}
	return false;
}

/* Delivers the next tuple, or notes that it comes later. */
static void
produce(AsyncRequest *request)
{
	ForeignScanState *node = (ForeignScanState *) request->requestee;
	TupleTableSlot *slot;

	scan_of(request)->later = false;
	slot = node->ss.ps.ExecProcNodeReal(&node->ss.ps);
	if (!TupIsNull(slot))
		ExecAsyncRequestDone(request, slot);
	else if (scan_of(request)->later)
		ExecAsyncRequestPending(request);
	else
		ExecAsyncRequestDone(request, NULL);
}

void
kluster_async_request(AsyncRequest *request)
{
	if (has_to_wait(request))
		ExecAsyncRequestPending(request);
	else
		produce(request);
}

static void
do_nothing(void)
{
}

/*
 * The executor waits without end. Any timeout sets the latch, whereupon it asks
 * again what to wait for. So a wake-up that somebody else has used up is made up for.
 */
static void
look_again_soon(void)
{
	static TimeoutId look = MAX_TIMEOUTS;

	if (look == MAX_TIMEOUTS)
		look = RegisterTimeout(USER_TIMEOUT, do_nothing);
	if (!get_timeout_active(look))
		enable_timeout_after(look, KLUSTER_LOOK_MILLISECONDS);
}

void
kluster_async_configure_wait(AsyncRequest *request)
{
	AppendState *append = (AppendState *) request->requestor;
	KlusterScan *scan = scan_of(request);

	if (has_to_wait(request))
		return;
	if (scan->result != NULL)
		kluster_check_source(scan->result);
	if (scan->result == NULL || kluster_result_socket(scan->result) == PGINVALID_SOCKET)
	{
		request->callback_pending = false;
		produce(request);
		if (!request->callback_pending)
		{
			ExecAsyncResponse(request);
			return;
		}
	}
	look_again_soon();
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE, kluster_result_socket(scan->result), NULL, request);
}

void
kluster_async_notify(AsyncRequest *request)
{
	produce(request);
}
