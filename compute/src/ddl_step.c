/*
 * ddl_step.c: what the statements of one transaction have done at the shards so far.
 */
#include "postgres.h"

#include "ddl_step.h"
#include "shape_text.h"

static char *
copied(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

static char *
put_off_for(const char *put_off, const char *database, const char *table)
{
	char	   *name = kluster_table_text(database, table);

	if (strcmp(put_off, KLUSTER_DROP_TABLE) == 0)
		return psprintf(KLUSTER_DROP_TABLE " %s", name);
	return psprintf("ALTER TABLE %s %s", name, put_off);
}

KlusterStep *
kluster_make_step(const KlusterWork *work, uint64 token)
{
	KlusterStep *step = palloc0(sizeof(KlusterStep));

	step->intent.token = token;
	step->intent.shard = work->shard;
	step->intent.undo = copied(work->undo);
	step->intent.guard_database = copied(work->database);
	step->intent.guard_table = copied(work->table);
	step->intent.mark = copied(work->mark);
	step->intent.at_commit = work->put_off == NULL ? copied(work->at_commit) :
		put_off_for(work->put_off, work->database, work->table);
	step->former_database = copied(work->former_database);
	step->former_table = copied(work->former_table);
	step->put_off = copied(work->put_off);
	return step;
}

static bool
is_same(const char *database, const char *table, const char *other_database, const char *other_table)
{
	return table != NULL && other_table != NULL && strcmp(table, other_table) == 0 && strcmp(database, other_database) == 0;
}

/* Follows the table of a step through the names that the later ones give it. */
static void
last_name(List *steps, const KlusterStep *step, const char **database, const char **table)
{
	bool		is_later = false;
	ListCell   *cell;

	*database = step->intent.guard_database;
	*table = step->intent.guard_table;
	foreach(cell, steps)
	{
		KlusterStep *other = lfirst(cell);

		if (is_later && !other->cancelled && other->intent.shard == step->intent.shard &&
			is_same(other->former_database, other->former_table, *database, *table))
		{
			*database = other->intent.guard_database;
			*table = other->intent.guard_table;
		}
		is_later = is_later || other == step;
	}
}

char *
kluster_step_put_off(List *steps, const KlusterStep *step)
{
	const char *database;
	const char *table;

	if (step->put_off == NULL)
		return step->intent.at_commit;
	last_name(steps, step, &database, &table);
	return put_off_for(step->put_off, database, table);
}

bool
kluster_steps_drop(List *steps, uint32 shard, const char *database, const char *table)
{
	ListCell   *cell;

	foreach(cell, steps)
	{
		KlusterStep *step = lfirst(cell);
		const char *step_database;
		const char *step_table;

		if (step->cancelled || step->intent.shard != shard || step->put_off == NULL ||
			strcmp(step->put_off, KLUSTER_DROP_TABLE) != 0)
			continue;
		last_name(steps, step, &step_database, &step_table);
		if (is_same(step_database, step_table, database, table))
			return true;
	}
	return false;
}

const char *
kluster_steps_mark(List *steps, uint32 shard, const char *database, const char *table)
{
	for (int i = list_length(steps) - 1; i >= 0; i--)
	{
		KlusterStep *step = list_nth(steps, i);

		if (!step->cancelled && step->intent.shard == shard && step->intent.undo != NULL &&
			is_same(step->intent.guard_database, step->intent.guard_table, database, table))
			return step->intent.mark;
	}
	return "";
}
