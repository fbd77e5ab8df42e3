/*
 * value.c: writes values as MySQL literals, and reads the fields of MySQL's rows.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "quote.h"
#include "value.h"

KlusterCodec *
kluster_codec(Oid type, int32 typmod)
{
	KlusterCodec *codec = palloc0(sizeof(KlusterCodec));
	Oid			function;
	bool		is_varlena;

	if (!kluster_type_of(type, typmod, &codec->mapped))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("shards cannot store values of type %s", format_type_be(type))));
	getTypeOutputInfo(codec->mapped.type, &function, &is_varlena);
	fmgr_info(function, &codec->output);
	getTypeInputInfo(codec->mapped.type, &function, &codec->io_param);
	fmgr_info(function, &codec->input);
	if (codec->mapped.form == KLUSTER_ARRAY)
	{
		Oid			element = get_element_type(codec->mapped.type);

		codec->element = kluster_codec(element, codec->mapped.typmod);
		get_typlenbyvalalign(element, &codec->element_length, &codec->element_by_value, &codec->element_align);
	}
	return codec;
}

/*
 * Text forms that depend on settings of the session (interval, ranges of
 * timestamps, geometric types) are made with these settings instead.
 */
typedef struct Style
{
	int			date_style;
	int			date_order;
	int			interval_style;
	int			float_digits;
} Style;

static Style
swap_style(Style new)
{
	Style		old = {DateStyle, DateOrder, IntervalStyle, extra_float_digits};

	DateStyle = new.date_style;
	DateOrder = new.date_order;
	IntervalStyle = new.interval_style;
	extra_float_digits = new.float_digits;
	return old;
}

static const Style stable_style = {USE_ISO_DATES, DATEORDER_YMD, INTSTYLE_POSTGRES, 3};

char *
kluster_stable_output(FmgrInfo *output, Datum value)
{
	Style		caller = swap_style(stable_style);
	char	   *text = NULL;

	PG_TRY();
	{
		text = OutputFunctionCall(output, value);
	}
	PG_FINALLY();
	{
		swap_style(caller);
	}
	PG_END_TRY();
	return text;
}

Datum
kluster_stable_input(KlusterCodec *codec, char *text)
{
	Style		caller = swap_style(stable_style);
	Datum		value = (Datum) 0;

	PG_TRY();
	{
		value = InputFunctionCall(&codec->input, text, codec->io_param, codec->mapped.typmod);
	}
	PG_FINALLY();
	{
		swap_style(caller);
	}
	PG_END_TRY();
	return value;
}

static void
refuse_value(KlusterCodec *codec, Datum value)
{
	ereport(ERROR,
			(errcode(codec->mapped.form == KLUSTER_FLOAT || codec->mapped.form == KLUSTER_DECIMAL ?
					 ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE : ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("shards cannot store %s %s", format_type_be(codec->mapped.type),
					OutputFunctionCall(&codec->output, value)),
			 errdetail("MySQL has finite numbers only, and times from 0001-01-01 until before 9999-12-31 23:59:59.999999.")));
}

/*
 * Stands for all times after those that can be stored, which it is not one of.
 * BELOW stands for those before: the year 0 exists in MySQL.
 */
#define ABOVE_ALL_MOMENTS "TIMESTAMP'9999-12-31 23:59:59.999999'"
#define BELOW_ALL_MOMENTS "TIMESTAMP'0000-01-01 00:00:00.000000'"
#define LAST_FRACTION 999999

/* Broken down into fields; false for what MySQL does not have. */
static bool
break_down(KlusterForm form, Datum value, struct pg_tm *fields, fsec_t *fraction)
{
	memset(fields, 0, sizeof(*fields));
	*fraction = 0;
	if (form == KLUSTER_DATE)
	{
		DateADT		date = DatumGetDateADT(value);

		if (DATE_NOT_FINITE(date))
			return false;
		j2date(date + POSTGRES_EPOCH_JDATE, &fields->tm_year, &fields->tm_mon, &fields->tm_mday);
	}
	else
	{
		Timestamp	timestamp = DatumGetTimestamp(value);

		if (TIMESTAMP_NOT_FINITE(timestamp) || timestamp2tm(timestamp, NULL, fields, fraction, NULL, NULL) != 0)
			return false;
	}
	if (fields->tm_year == 9999 && fields->tm_mon == 12 && fields->tm_mday == 31 && fields->tm_hour == 23 &&
		fields->tm_min == 59 && fields->tm_sec == 59 && *fraction == LAST_FRACTION)
		return false;
	return fields->tm_year >= 1 && fields->tm_year <= 9999;
}

static bool
is_finite_number(KlusterCodec *codec, Datum value)
{
	if (codec->mapped.form == KLUSTER_DECIMAL)
		return !numeric_is_nan(DatumGetNumeric(value)) && !numeric_is_inf(DatumGetNumeric(value));
	return codec->mapped.type == FLOAT4OID ? isfinite(DatumGetFloat4(value)) : isfinite(DatumGetFloat8(value));
}

static void
append_integer(StringInfo out, Oid type, Datum value)
{
	char		digits[MAXINT8LEN + 1];
	int			length;

	if (type == OIDOID)
		length = pg_ultoa_n(DatumGetObjectId(value), digits);
	else if (type == INT8OID)
		length = pg_lltoa(DatumGetInt64(value), digits);
	else
		length = pg_ltoa(type == INT2OID ? DatumGetInt16(value) : DatumGetInt32(value), digits);
	appendBinaryStringInfo(out, digits, length);
}

/* With an exponent it is a double to MySQL, without one a decimal. */
static void
append_float(StringInfo out, double number)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];
	int			length = double_to_shortest_decimal_buf(number, digits);

	appendBinaryStringInfo(out, digits, length);
	if (memchr(digits, 'e', length) == NULL)
		appendStringInfoString(out, "e0");
}

static void
append_moment(StringInfo out, KlusterCodec *codec, Datum value)
{
	struct pg_tm fields;
	fsec_t		fraction;

	if (!break_down(codec->mapped.form, value, &fields, &fraction))
		refuse_value(codec, value);
	if (codec->mapped.form == KLUSTER_DATE)
		appendStringInfo(out, "DATE'%04d-%02d-%02d'", fields.tm_year, fields.tm_mon, fields.tm_mday);
	else
		appendStringInfo(out, "TIMESTAMP'%04d-%02d-%02d %02d:%02d:%02d.%06d'", fields.tm_year, fields.tm_mon,
						 fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec, (int) fraction);
}

static void
append_time(StringInfo out, TimeADT time)
{
	int64		seconds = time / USECS_PER_SEC;

	appendStringInfo(out, "TIME'%02d:%02d:%02d.%06d'", (int) (seconds / 3600), (int) (seconds / 60 % 60),
					 (int) (seconds % 60), (int) (time % USECS_PER_SEC));
}

static void
append_text(StringInfo out, KlusterForm form, Datum value)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);
	const char *start = VARDATA_ANY(text);
	Size		length = VARSIZE_ANY_EXHDR(text);

	if (form == KLUSTER_BYTES)
		kluster_append_bytes(out, start, length);
	else
	{
		while (form == KLUSTER_PADDED && length > 0 && start[length - 1] == ' ')
			length--;
		kluster_append_literal(out, start, length);
	}
	if ((Pointer) text != DatumGetPointer(value))
		pfree(text);
}

static void
append_output(StringInfo out, char *text)
{
	kluster_append_literal(out, text, strlen(text));
	pfree(text);
}

void
kluster_append_value(StringInfo out, KlusterCodec *codec, Datum value)
{
	switch (codec->mapped.form)
	{
		case KLUSTER_BOOLEAN:
			appendStringInfoChar(out, DatumGetBool(value) ? '1' : '0');
			return;
		case KLUSTER_INTEGER:
			append_integer(out, codec->mapped.type, value);
			return;
		case KLUSTER_FLOAT:
			if (!is_finite_number(codec, value))
				refuse_value(codec, value);
			append_float(out, codec->mapped.type == FLOAT4OID ? (double) DatumGetFloat4(value) : DatumGetFloat8(value));
			return;
		case KLUSTER_DECIMAL:
			if (!is_finite_number(codec, value))
				refuse_value(codec, value);
			appendStringInfoString(out, DatumGetCString(DirectFunctionCall1(numeric_out, value)));
			return;
		case KLUSTER_TEXT:
			if (codec->mapped.type == NAMEOID)
				append_output(out, OutputFunctionCall(&codec->output, value));
			else
				append_text(out, codec->mapped.form, value);
			return;
		case KLUSTER_PADDED:
		case KLUSTER_BYTES:
			append_text(out, codec->mapped.form, value);
			return;
		case KLUSTER_LABEL:
			append_output(out, OutputFunctionCall(&codec->output, value));
			return;
		case KLUSTER_UUID:
			kluster_append_bytes(out, (char *) DatumGetUUIDP(value)->data, UUID_LEN);
			return;
		case KLUSTER_DATE:
		case KLUSTER_TIMESTAMP:
		case KLUSTER_TIMESTAMPTZ:
			append_moment(out, codec, value);
			return;
		case KLUSTER_TIME:
			append_time(out, DatumGetTimeADT(value));
			return;
		case KLUSTER_ARRAY:
			kluster_append_array(out, codec, value);
			return;
		case KLUSTER_OPAQUE:
			append_output(out, kluster_stable_output(&codec->output, value));
			return;
	}
}

KlusterCodec *
kluster_comparand_codec(Oid type, int32 typmod)
{
	KlusterCodec *codec = kluster_codec(type, typmod);

	if (codec->mapped.type == NUMERICOID)
		codec->mapped.form = KLUSTER_DECIMAL;
	else if (codec->mapped.type == BPCHAROID)
		codec->mapped.form = KLUSTER_PADDED;
	return codec;
}

/* At most as many digits as MySQL's decimal has, before and after the point. */
static bool
is_short_number(Datum value)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	char	   *point = strchr(text, '.');
	bool		is_short = strlen(text) <= 60 && (point == NULL || strlen(point + 1) <= 30);

	pfree(text);
	return is_short;
}

bool
kluster_is_comparand(KlusterCodec *codec, Datum value)
{
	switch (codec->mapped.form)
	{
		case KLUSTER_FLOAT:
			return is_finite_number(codec, value);
		case KLUSTER_DECIMAL:
			return !is_finite_number(codec, value) || is_short_number(value);
		case KLUSTER_ARRAY:
		case KLUSTER_OPAQUE:
			return false;
		default:
			return true;
	}
}

/* NaN is greater than all other numbers. */
static bool
is_below_all(KlusterCodec *codec, Datum value)
{
	switch (codec->mapped.form)
	{
		case KLUSTER_DECIMAL:
			return DatumGetBool(DirectFunctionCall2(numeric_lt, value, DirectFunctionCall1(int8_numeric, Int64GetDatum(0))));
		case KLUSTER_DATE:
			return DatumGetDateADT(value) < 0;
		default:
			return DatumGetTimestamp(value) < 0;
	}
}

void
kluster_append_comparand(StringInfo out, KlusterCodec *codec, Datum value)
{
	struct pg_tm fields;
	fsec_t		fraction;

	if (!kluster_is_comparand(codec, value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("shards cannot compare with %s %s", format_type_be(codec->mapped.type),
						OutputFunctionCall(&codec->output, value))));
	switch (codec->mapped.form)
	{
		case KLUSTER_DECIMAL:
			if (is_finite_number(codec, value))
				break;
			appendStringInfoString(out, is_below_all(codec, value) ? "-1e300" : "1e300");
			return;
		case KLUSTER_DATE:
		case KLUSTER_TIMESTAMP:
		case KLUSTER_TIMESTAMPTZ:
			if (break_down(codec->mapped.form, value, &fields, &fraction))
				break;
			appendStringInfoString(out, is_below_all(codec, value) ? BELOW_ALL_MOMENTS : ABOVE_ALL_MOMENTS);
			return;
		default:
			break;
	}
	kluster_append_value(out, codec, value);
}

static int
digits_of(const char **at)
{
	int			number = 0;

	while (**at >= '0' && **at <= '9')
		number = number * 10 + (*(*at)++ - '0');
	if (**at != '\0')
		(*at)++;
	return number;
}

/* Microseconds after the point: MySQL prints as many digits as the column has. */
static int
fraction_of(const char *at)
{
	int			fraction = 0;

	for (int digit = 0; digit < 6; digit++)
		fraction = fraction * 10 + (*at >= '0' && *at <= '9' ? *at++ - '0' : 0);
	return fraction;
}

static Datum
read_date(const char *text)
{
	int			year = digits_of(&text);
	int			month = digits_of(&text);

	return DateADTGetDatum(date2j(year, month, digits_of(&text)) - POSTGRES_EPOCH_JDATE);
}

/* Hours to microseconds, as one count. */
static int64
read_clock(const char **text)
{
	int64		seconds = (int64) digits_of(text) * 3600;

	seconds += digits_of(text) * 60;
	seconds += digits_of(text);
	return seconds * USECS_PER_SEC + fraction_of(*text);
}

static Datum
read_moment(const char *text)
{
	int64		days;
	int			year = digits_of(&text);
	int			month = digits_of(&text);

	days = date2j(year, month, digits_of(&text)) - POSTGRES_EPOCH_JDATE;
	return TimestampGetDatum(days * USECS_PER_DAY + read_clock(&text));
}

static Datum
read_integer(Oid type, char *text)
{
	switch (type)
	{
		case INT2OID:
			return Int16GetDatum(pg_strtoint16(text));
		case INT4OID:
			return Int32GetDatum(pg_strtoint32(text));
		case INT8OID:
			return Int64GetDatum(pg_strtoint64(text));
		default:
			return ObjectIdGetDatum((Oid) strtoul(text, NULL, 10));
	}
}

static Datum
read_uuid(const char *bytes, unsigned long length)
{
	pg_uuid_t  *uuid = palloc0(sizeof(pg_uuid_t));

	memcpy(uuid->data, bytes, Min(length, UUID_LEN));
	return UUIDPGetDatum(uuid);
}

Datum
kluster_read_value(KlusterCodec *codec, char *text, unsigned long length)
{
	const char *at = text;

	switch (codec->mapped.form)
	{
		case KLUSTER_BOOLEAN:
			return BoolGetDatum(text[0] != '0');
		case KLUSTER_INTEGER:
			return read_integer(codec->mapped.type, text);
		case KLUSTER_TEXT:
			if (codec->mapped.type == NAMEOID)
				break;
			return PointerGetDatum(cstring_to_text_with_len(text, (int) length));
		case KLUSTER_BYTES:
			return PointerGetDatum(cstring_to_text_with_len(text, (int) length));
		case KLUSTER_UUID:
			return read_uuid(text, length);
		case KLUSTER_DATE:
			return read_date(text);
		case KLUSTER_TIME:
			return TimeADTGetDatum(read_clock(&at));
		case KLUSTER_TIMESTAMP:
		case KLUSTER_TIMESTAMPTZ:
			return read_moment(text);
		case KLUSTER_ARRAY:
			return kluster_read_array(codec, text, length);
		case KLUSTER_OPAQUE:
			return kluster_stable_input(codec, text);
		case KLUSTER_FLOAT:
		case KLUSTER_DECIMAL:
		case KLUSTER_LABEL:
		case KLUSTER_PADDED:
			break;
	}
	return InputFunctionCall(&codec->input, text, codec->io_param, codec->mapped.typmod);
}
