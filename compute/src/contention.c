/*
 * contention.c: executing again what MySQL ended for the sake of others.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "contention.h"
#include "ddl_settings.h"

/* Longest pause before the second attempt; the pause is drawn, so that those who met do not meet again. */
#define PAUSE_MICROSECONDS 20000L
#define LONGEST_PAUSE_MICROSECONDS 500000L

static bool
is_contention(int sqlstate)
{
	return sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED || sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* One attempt; false: others were in the way, and there is time for another. */
static bool
attempt_once(void (*attempt) (void *argument), void *argument, TimestampTz until)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool done = true;

	PG_TRY();
	{
		attempt(argument);
	}
	PG_CATCH();
	{
		if (!is_contention(geterrcode()) || GetCurrentTimestamp() >= until)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		done = false;
	}
	PG_END_TRY();
	return done;
}

void
kluster_insist(void (*attempt) (void *argument), void *argument)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kluster_ddl_lock_timeout * 1000L);
	long		longest = PAUSE_MICROSECONDS;

	while (!attempt_once(attempt, argument, until))
	{
		pg_usleep((long) (pg_prng_double(&pg_global_prng_state) * longest));
		longest = Min(longest * 2, LONGEST_PAUSE_MICROSECONDS);
		CHECK_FOR_INTERRUPTS();
	}
}
