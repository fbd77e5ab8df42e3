/*
 * value.h: values between PostgreSQL's Datums and MySQL's text.
 */
#ifndef KLUSTER_VALUE_H
#define KLUSTER_VALUE_H

#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"

#include "type_map.h"

/* What is needed to read and write values of one type. */
typedef struct KlusterCodec
{
	KlusterType mapped;
	FmgrInfo	output;
	FmgrInfo	input;
	Oid			io_param;
	/* Of arrays. */
	struct KlusterCodec *element;
	int16		element_length;
	bool		element_by_value;
	char		element_align;
} KlusterCodec;

/* Makes a codec in the current memory context; an error when the type is not mapped. */
extern KlusterCodec *kluster_codec(Oid type, int32 typmod);

/*
 * Appends a value as a MySQL literal that has the type of its column. An error
 * when MySQL cannot keep it (infinity, dates before the year 1 or after 9999).
 */
extern void kluster_append_value(StringInfo out, KlusterCodec *codec, Datum value);

/*
 * A codec for values that are only compared with what is stored: also for
 * numeric and bpchar without length.
 */
extern KlusterCodec *kluster_comparand_codec(Oid type, int32 typmod);

/*
 * Appends a value to compare with stored ones. What MySQL cannot keep becomes a
 * literal above or below, and never equal to, everything that it can.
 */
extern void kluster_append_comparand(StringInfo out, KlusterCodec *codec, Datum value);

/* Is there such a literal? Not for floats without end, nor for very long numbers. */
extern bool kluster_is_comparand(KlusterCodec *codec, Datum value);

/* The value of a field of a result row; `text` is followed by a zero byte. */
extern Datum kluster_read_value(KlusterCodec *codec, char *text, unsigned long length);

/* PostgreSQL's text form of a value, the same whatever the session's settings are. */
extern char *kluster_stable_output(FmgrInfo *output, Datum value);
extern Datum kluster_stable_input(KlusterCodec *codec, char *text);

/* array_json.c */
extern void kluster_append_array(StringInfo out, KlusterCodec *codec, Datum value);
extern Datum kluster_read_array(KlusterCodec *codec, char *text, unsigned long length);

#endif
