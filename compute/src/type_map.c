/*
 * type_map.c: the MySQL type for each PostgreSQL type.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/pg_locale.h"

#include "type_map.h"

/* What MySQL's decimal can hold. */
#define DECIMAL_MAX_PRECISION 65
#define DECIMAL_MAX_SCALE 30

/*
 * Longer varchar columns become longtext: all varchar columns of a MySQL row
 * share 65,535 bytes, four for each character. PostgreSQL has checked the
 * length before a value gets here.
 */
#define VARCHAR_MAX_CHARS 1000

#define BYTES_PER_CHAR 4

/*
 * Types whose text form is the same whoever writes it and however, so that it
 * can be kept as text. Types that are not here and in type_of() are refused:
 * reg* (numbers that mean something else on another compute node), money
 * (depends on a locale), composite types, and types of other extensions.
 */
static bool
keeps_its_text_form(Oid type)
{
	switch (type)
	{
		case JSONOID:
		case JSONBOID:			/* MySQL's json loses digits of numbers */
		case XMLOID:
		case INTERVALOID:
		case TIMETZOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case BITOID:
		case VARBITOID:
		case TSVECTOROID:
		case TSQUERYOID:
		case JSONPATHOID:
		case LSNOID:
		case POINTOID:
		case LINEOID:
		case LSEGOID:
		case BOXOID:
		case PATHOID:
		case POLYGONOID:
		case CIRCLEOID:
		case INT4RANGEOID:
		case INT8RANGEOID:
		case NUMRANGEOID:
		case DATERANGEOID:
		case TSRANGEOID:
		case TSTZRANGEOID:
		case INT4MULTIRANGEOID:
		case INT8MULTIRANGEOID:
		case NUMMULTIRANGEOID:
		case DATEMULTIRANGEOID:
		case TSMULTIRANGEOID:
		case TSTZMULTIRANGEOID:
			return true;
		default:
			return false;
	}
}

static int
precision_of(int32 typmod)
{
	return ((typmod - VARHDRSZ) >> 16) & 0xffff;
}

/* The scale is 11 bits with a sign. */
static int
scale_of(int32 typmod)
{
	return (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
}

static KlusterForm
numeric_form(int32 typmod)
{
	if (typmod < VARHDRSZ)
		return KLUSTER_OPAQUE;
	if (precision_of(typmod) > DECIMAL_MAX_PRECISION || scale_of(typmod) < 0 ||
		scale_of(typmod) > DECIMAL_MAX_SCALE || scale_of(typmod) > precision_of(typmod))
		return KLUSTER_OPAQUE;
	return KLUSTER_DECIMAL;
}

static bool
form_of(Oid type, int32 typmod, KlusterForm *form)
{
	switch (type)
	{
		case BOOLOID:
			*form = KLUSTER_BOOLEAN;
			return true;
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
			*form = KLUSTER_INTEGER;
			return true;
		case FLOAT4OID:
		case FLOAT8OID:
			*form = KLUSTER_FLOAT;
			return true;
		case NUMERICOID:
			*form = numeric_form(typmod);
			return true;
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			*form = KLUSTER_TEXT;
			return true;
		case BPCHAROID:
			*form = typmod < VARHDRSZ ? KLUSTER_OPAQUE : KLUSTER_PADDED;
			return true;
		case BYTEAOID:
			*form = KLUSTER_BYTES;
			return true;
		case UUIDOID:
			*form = KLUSTER_UUID;
			return true;
		case DATEOID:
			*form = KLUSTER_DATE;
			return true;
		case TIMEOID:
			*form = KLUSTER_TIME;
			return true;
		case TIMESTAMPOID:
			*form = KLUSTER_TIMESTAMP;
			return true;
		case TIMESTAMPTZOID:
			*form = KLUSTER_TIMESTAMPTZ;
			return true;
		default:
			break;
	}
	if (get_typtype(type) == TYPTYPE_ENUM)
		*form = KLUSTER_LABEL;
	else if (keeps_its_text_form(type))
		*form = KLUSTER_OPAQUE;
	else
		return false;
	return true;
}

bool
kluster_type_of(Oid type, int32 typmod, KlusterType *mapped)
{
	Oid			element;

	mapped->typmod = typmod;
	mapped->type = getBaseTypeAndTypmod(type, &mapped->typmod);
	element = get_element_type(mapped->type);
	if (OidIsValid(element))
	{
		KlusterType below;

		mapped->form = KLUSTER_ARRAY;
		return kluster_type_of(element, mapped->typmod, &below);
	}
	return form_of(mapped->type, mapped->typmod, &mapped->form);
}

void
kluster_require_type(Oid type, int32 typmod, const char *column, KlusterType *mapped)
{
	if (!kluster_type_of(type, typmod, mapped))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" has type %s, which shards cannot store", column, format_type_be(type)),
				 errhint("Use a type that has a mapping, such as text or jsonb, or a temporary table, which stays on the compute node.")));
}

/* varchar(n) when that is possible, otherwise longtext. */
static void
append_text_type(StringInfo out, int chars, int key_bytes)
{
	if (key_bytes > 0 && (chars < 0 || chars > key_bytes / BYTES_PER_CHAR))
		chars = key_bytes / BYTES_PER_CHAR;
	if (chars < 0 || chars > VARCHAR_MAX_CHARS)
		appendStringInfoString(out, "longtext");
	else
		appendStringInfo(out, "varchar(%d)", chars);
}

static void
append_integer_type(StringInfo out, Oid type)
{
	appendStringInfoString(out,
						   type == INT2OID ? "smallint" :
						   type == INT4OID ? "int" :
						   type == INT8OID ? "bigint" : "int unsigned");
}

static int
fraction_digits(int32 typmod)
{
	return typmod < 0 || typmod > 6 ? 6 : typmod;
}

static void
refuse_in_index(Oid type, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of type %s cannot be part of an index", column, format_type_be(type)),
			 type == NUMERICOID ? errhint("Give the type a precision of at most %d digits, such as numeric(20,2).",
										  DECIMAL_MAX_PRECISION) : 0));
}

void
kluster_append_column_type(StringInfo out, Oid type, int32 typmod, const char *column, int key_bytes)
{
	KlusterType mapped;

	kluster_require_type(type, typmod, column, &mapped);
	if (key_bytes > 0 && !kluster_has_equality(&mapped))
		refuse_in_index(type, column);
	switch (mapped.form)
	{
		case KLUSTER_BOOLEAN:
			appendStringInfoString(out, "tinyint(1)");
			break;
		case KLUSTER_INTEGER:
			append_integer_type(out, mapped.type);
			break;
		case KLUSTER_FLOAT:
			appendStringInfoString(out, "double");
			break;
		case KLUSTER_DECIMAL:
			appendStringInfo(out, "decimal(%d,%d)", precision_of(mapped.typmod), scale_of(mapped.typmod));
			break;
		case KLUSTER_TEXT:
			append_text_type(out, mapped.type == NAMEOID ? NAMEDATALEN : (int) mapped.typmod - VARHDRSZ, key_bytes);
			break;
		case KLUSTER_LABEL:
			append_text_type(out, NAMEDATALEN, key_bytes);
			break;
		case KLUSTER_PADDED:
			append_text_type(out, (int) mapped.typmod - VARHDRSZ, key_bytes);
			break;
		case KLUSTER_BYTES:
			if (key_bytes > 0)
				appendStringInfo(out, "varbinary(%d)", key_bytes);
			else
				appendStringInfoString(out, "longblob");
			break;
		case KLUSTER_UUID:
			appendStringInfoString(out, "binary(16)");
			break;
		case KLUSTER_DATE:
			appendStringInfoString(out, "date");
			break;
		case KLUSTER_TIME:
			appendStringInfo(out, "time(%d)", fraction_digits(mapped.typmod));
			break;
		case KLUSTER_TIMESTAMP:
		case KLUSTER_TIMESTAMPTZ:
			appendStringInfo(out, "datetime(%d)", fraction_digits(mapped.typmod));
			break;
		case KLUSTER_ARRAY:
			appendStringInfoString(out, "json");
			break;
		case KLUSTER_OPAQUE:
			appendStringInfoString(out, "longtext");
			break;
	}
}

bool
kluster_has_equality(const KlusterType *type)
{
	return type->form != KLUSTER_ARRAY && type->form != KLUSTER_OPAQUE;
}

/*
 * C and POSIX compare bytes. C.UTF-8 of the C library compares code points,
 * which is the same for UTF-8.
 */
static bool
compares_bytes(Oid collation)
{
	const char *name;

	if (!OidIsValid(collation))
		return false;
	if (lc_collate_is_c(collation))
		return true;
	if (collation != DEFAULT_COLLATION_OID)
		return false;
	name = GetConfigOption("lc_collate", true, false);
	return name != NULL && (pg_strcasecmp(name, "C.UTF-8") == 0 || pg_strcasecmp(name, "C.utf8") == 0);
}

bool
kluster_has_order(const KlusterType *type, Oid collation)
{
	switch (type->form)
	{
		case KLUSTER_TEXT:
		case KLUSTER_PADDED:
			return compares_bytes(collation);
		case KLUSTER_LABEL:
			return false;
		default:
			return kluster_has_equality(type);
	}
}
