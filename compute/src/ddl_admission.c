/*
 * ddl_admission.c: who connects before this compute node has followed the log of
 * definitions has to wait.
 */
#include "postgres.h"

/* Its headers may be missing; the structures are the same without. */
#undef ENABLE_GSS

#include "libpq/auth.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/timestamp.h"

#include "ddl_replay.h"
#include "ddl_settings.h"
#include "ddl_shared.h"

static ClientAuthentication_hook_type previous_authentication = NULL;

static void
refuse(void)
{
	ereport(FATAL,
			(errcode(ERRCODE_CANNOT_CONNECT_NOW),
			 errmsg("this compute node has not followed the definitions of the others yet"),
			 errhint("Try again later, or connect to another compute node.")));
}

/*
 * A client waits until this compute node has what the others defined before it
 * started. Superusers do not: they may be needed to find out what is wrong. Whoever is
 * unknown may be known a moment later.
 */
static void
admit(Port *port, int status)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kluster_admission_timeout * 1000L);

	if (previous_authentication)
		previous_authentication(port, status);
	if (kluster_ddl_progress().following)
		return;
	if (status != STATUS_OK && kluster_can_follow())
		refuse();
	if (status != STATUS_OK)
		return;
	if (superuser_arg(get_role_oid(port->user_name, true)) || !kluster_can_follow())
		return;
	while (!kluster_ddl_progress().following)
	{
		if (GetCurrentTimestamp() >= until)
			refuse();
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 50, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

void
kluster_admission_init(void)
{
	previous_authentication = ClientAuthentication_hook;
	ClientAuthentication_hook = admit;
}
