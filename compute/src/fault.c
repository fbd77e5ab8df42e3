/*
 * fault.c: dying and pausing on purpose.
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "miscadmin.h"

#include "fault.h"

#define PAUSE_MICROSECONDS 4000000L

char	   *kluster_fault_point = NULL;

void
kluster_fault(const char *place)
{
	Size		length = strlen(place);

	if (kluster_fault_point == NULL || strncmp(kluster_fault_point, place, length) != 0)
		return;
	if (kluster_fault_point[length] == '\0')
		kill(MyProcPid, SIGKILL);
	else if (strcmp(kluster_fault_point + length, ":pause") == 0)
	{
		elog(LOG, "paused at %s", place);
		pg_usleep(PAUSE_MICROSECONDS);
	}
}
