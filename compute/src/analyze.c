/*
 * analyze.c: ANALYZE of tables on shards: a random sample of their rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/vacuum.h"
#include "foreign/fdwapi.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#include "analyze.h"
#include "connection.h"
#include "deparse.h"
#include "quote.h"
#include "relation.h"
#include "targets.h"
#include "value.h"

/* The shard leaves rows out when the table has more than so many times the rows that are wanted. */
#define ENOUGH 20

/* What PostgreSQL thinks that one page holds, for its costs. */
#define ROWS_OF_A_PAGE 100

typedef struct Sample
{
	Relation	relation;
	KlusterCodec **codecs;		/* NULL for a dropped column */
	HeapTuple  *rows;
	int			wanted;
	int			taken;
	double		seen;
	double		to_skip;		/* until the next row that replaces one */
	ReservoirStateData reservoir;
	MemoryContext row_context;
} Sample;

static void
append_columns(StringInfo sql, Sample *sample)
{
	TupleDesc	description = RelationGetDescr(sample->relation);
	const char *separator = "";

	for (int i = 0; i < description->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(description, i);

		if (column->attisdropped)
			continue;
		sample->codecs[i] = kluster_codec(column->atttypid, column->atttypmod);
		appendStringInfoString(sql, separator);
		kluster_append_identifier(sql, kluster_column_name(RelationGetRelid(sample->relation), column->attnum));
		separator = ", ";
	}
	if (*separator == '\0')
		appendStringInfoString(sql, "1");
}

static HeapTuple
form_row(Sample *sample, char **values, unsigned long *lengths)
{
	TupleDesc	description = RelationGetDescr(sample->relation);
	Datum	   *datums = palloc0(sizeof(Datum) * (description->natts + 1));
	bool	   *nulls = palloc(sizeof(bool) * (description->natts + 1));
	int			at = 0;

	for (int i = 0; i < description->natts; i++)
	{
		nulls[i] = sample->codecs[i] == NULL || values[at] == NULL;
		if (!nulls[i])
			datums[i] = kluster_read_value(sample->codecs[i], values[at], lengths[at]);
		if (sample->codecs[i] != NULL)
			at++;
	}
	return heap_form_tuple(description, datums, nulls);
}

static void
take_row(Sample *sample, int place, char **values, unsigned long *lengths)
{
	MemoryContext caller = MemoryContextSwitchTo(sample->row_context);
	HeapTuple	row = form_row(sample, values, lengths);

	MemoryContextSwitchTo(caller);
	if (place < sample->taken)
		heap_freetuple(sample->rows[place]);
	else
		sample->taken++;
	sample->rows[place] = heap_copytuple(row);
	MemoryContextReset(sample->row_context);
}

/* Vitter's algorithm: each row has the same chance, however many come. */
static void
offer_row(Sample *sample, char **values, unsigned long *lengths)
{
	if (sample->taken < sample->wanted)
		take_row(sample, sample->taken, values, lengths);
	else
	{
		if (sample->to_skip < 0)
			sample->to_skip = reservoir_get_next_S(&sample->reservoir, sample->seen, sample->wanted);
		if (sample->to_skip <= 0)
			take_row(sample, (int) (sample->wanted * sampler_random_fract(&sample->reservoir.randstate)), values, lengths);
		sample->to_skip -= 1;
	}
	sample->seen += 1;
}

static int
acquire_rows(Relation relation, int level, HeapTuple *rows, int wanted, double *total, double *dead)
{
	KlusterTable *table = kluster_table(RelationGetRelid(relation));
	Sample		sample = {.relation = relation, .rows = rows, .wanted = wanted, .to_skip = -1};
	double		expected = kluster_table_rows(RelationGetRelid(relation), table);
	double		fraction = expected > (double) wanted * ENOUGH ? wanted * (ENOUGH / 2.0) / expected : 1;
	StringInfoData sql;
	KlusterResult *result;
	char	  **values;
	unsigned long *lengths;

	sample.codecs = palloc0(sizeof(KlusterCodec *) * (RelationGetDescr(relation)->natts + 1));
	sample.row_context = AllocSetContextCreate(CurrentMemoryContext, "kluster sample", ALLOCSET_DEFAULT_SIZES);
	reservoir_init_selection_state(&sample.reservoir, wanted);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	append_columns(&sql, &sample);
	appendStringInfoString(&sql, " FROM ");
	kluster_append_table(&sql, table);
	if (fraction < 1)
		appendStringInfo(&sql, " WHERE RAND() < %.9f", fraction);
	result = kluster_query(kluster_connection(kluster_reading_shard(table->shard), KLUSTER_READ), sql.data);
	while (kluster_fetch(result, &values, &lengths))
		offer_row(&sample, values, lengths);
	kluster_close(result);
	MemoryContextDelete(sample.row_context);
	*total = sample.seen / fraction;
	*dead = 0;
	ereport(level,
			(errmsg("\"%s\": %.0f rows on the shard, %d rows in the sample", RelationGetRelationName(relation), *total,
					sample.taken)));
	return sample.taken;
}

bool
kluster_analyze(Relation relation, AcquireSampleRowsFunc *function, BlockNumber *pages)
{
	KlusterTable *table = kluster_table(RelationGetRelid(relation));

	*function = acquire_rows;
	*pages = 1 + (BlockNumber) (kluster_table_rows(RelationGetRelid(relation), table) / ROWS_OF_A_PAGE);
	return true;
}
